// Loads frames as Cornerstone3D does, and gives their samples to whoever asks: see the tests of DICOMweb.
import { imageLoader, init as initCore, metaData, setUseCPURendering, utilities } from "@cornerstonejs/core";
import { init as initLoader, wadors } from "@cornerstonejs/dicom-image-loader";

let accept = null;

const beforeSend = (xhr, imageId, headers) => (accept === null ? headers : { ...headers, Accept: accept });

// Returns what the viewer has of a frame: its samples, and how it takes them.
const loadFrame = async (instance, frame, accepted) => {
  accept = accepted;
  const imageId = `wadors:${instance}/frames/${frame}`;
  const answer = await fetch(`${instance}/metadata`, { headers: { Accept: "application/dicom+json" } });
  const [metadata] = await answer.json();
  // It looks for those of any frame under the first one's name.
  for (const name of [imageId, `wadors:${instance}/frames/1`]) {
    wadors.metaDataManager.add(name, metadata);
  }
  const image = await imageLoader.loadImage(imageId);
  const samples = image.voxelManager.getScalarData();
  return {
    rows: image.rows,
    columns: image.columns,
    color: image.color,
    syntax: image.transferSyntaxUID,
    type: samples.constructor.name,
    samples: Array.from(samples),
  };
};

// Returns red, green, blue and opacity of each pixel of the canvas that the viewer draws a frame on.
const drawFrame = async (instance, frame, accepted) => {
  const { rows, columns } = await loadFrame(instance, frame, accepted);
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  await utilities.loadImageToCanvas({
    canvas, imageId: `wadors:${instance}/frames/${frame}`, useCPURendering: true,
  });
  return Array.from(canvas.getContext("2d").getImageData(0, 0, columns, rows).data);
};

const start = async () => {
  setUseCPURendering(true);
  await initCore();
  initLoader({ maxWebWorkers: 1, beforeSend, wasmBasePath: new URL("./", import.meta.url).href });
  Object.assign(window, { loadFrame, drawFrame, metaData });
  document.body.dataset.ready = "";
};

start();
