// The viewer: a source and its result, enlarged, under a slider or as their difference.

import { Cine } from "./cine.js";
import { askMeasures, describeMeasures } from "./measures.js";
import { framePath, loadPicture } from "./pictures.js";
import { baseName } from "./shown.js";
import { listenToDrags, moved, parsed, relate, stepOfKey } from "./window_level.js";

const SIDES = { slider: ["source", "result"], source: ["source"], result: ["result"], difference: ["difference"] };
const VIEWS = Object.keys(SIDES);
const NEAR = 16;
const AHEAD = 3;
const element = (id) => document.getElementById(`viewer-${id}`);
const dialog = document.getElementById("viewer");
const stage = element("stage");
const cine = new Cine(showFrame, (playing) => {
  element("play").textContent = playing ? "Pause" : "Play";
  if (!playing) measure();
});

let job = null;
let base = null;
let frames = 1;
let frame = 0;
let chosen = null;
let painting = null;
let again = false;

export function setUp() {
  element("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { cine.stop(); job = null; });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const radio of dialog.querySelectorAll("[name=view]")) radio.addEventListener("change", viewChosen);
  element("slider").addEventListener("input", (event) => moveSlider(event.target.value));
  for (const id of ["frame", "number"]) {
    element(id).addEventListener("input", (event) => { cine.stop(); showFrame(Number(event.target.value) - 1); measureSoon(); });
  }
  element("play").addEventListener("click", playOrPause);
  element("rate").addEventListener("change", (event) => { cine.rate = Number(event.target.value); });
  for (const id of ["center", "width"]) {
    element(id).addEventListener("input", () => {
      const window = parsed(element("center").value, element("width").value);
      if (window) { chosen = window; paint(); }
    });
  }
  element("reset").addEventListener("click", () => chooseWindow(null));
  stage.addEventListener("keydown", keyPressed);
  listenToDrags(stage, { begin: dragBegun, move: dragged });
  document.addEventListener("visibilitychange", () => { if (document.hidden) cine.stop(); });
}

export async function openViewer(shown) {
  job = shown;
  base = null;
  frames = shown.report.frames;
  frame = 0;
  chosen = null;
  element("title").textContent = baseName(shown.source);
  element("syntaxes").textContent = `Source: ${shown.report.source_syntax}. Result: ${shown.report.target_syntax}.`;
  element("words").textContent = "Loading";
  element("measures").textContent = "";
  element("frames").hidden = frames < 2;
  element("frame").max = frames;
  element("number").max = frames;
  element("window").hidden = true;
  for (const image of stage.querySelectorAll("img")) image.hidden = true;
  dialog.querySelector("[value=slider]").checked = true;
  moveSlider(50);
  tellFrame();
  dialog.showModal();
  stage.focus();
  try { await prepare(shown); } catch (error) {
    if (job === shown) element("words").textContent = error.message;
  }
  if (job === shown) viewChosen();
}

async function prepare(shown) {
  const measures = await askMeasures(shown.id, 0);
  if (job !== shown) return;
  const { source, result } = measures;
  frames = Math.min(source.frames, result.frames);
  stage.style.setProperty("--aspect", source.columns / source.rows);
  stage.classList.toggle("coarse", Math.max(source.columns, source.rows) < 400);
  base = {
    source: source.window, result: result.window, stated: [source.window_stated, result.window_stated],
    photometric: [source.photometric_interpretation, result.photometric_interpretation],
  };
  element("window").hidden = !source.window;
  tellWindow();
  element("measures").textContent = describeMeasures(measures, frames > 1 ? 0 : null);
}

function view() { return dialog.querySelector("[name=view]:checked").value; }

function viewChosen() {
  stage.dataset.view = view();
  element("slider-field").hidden = view() !== "slider";
  paint();
}

function moveSlider(at) {
  element("slider").value = at;
  stage.style.setProperty("--at", `${at}%`);
}

// A window that the file states is left to the service, because it may be another in each frame.
function windowOf(side) {
  if (!base?.source) return null;
  const of = side === "result" ? 1 : 0;
  if (chosen) return of ? relate(chosen, base) : chosen;
  return base.stated[of] ? null : base[side];
}

function pathOf(side, which) {
  const wanted = stage.clientWidth * devicePixelRatio;
  const size = [512, 1024, 2048].find((one) => one >= wanted) ?? 2048;
  return framePath(job.id, side, which, size, windowOf(side));
}

// However fast things change, one picture a side is asked for at a time, and then the latest.
function paint() {
  if (painting) { again = true; return painting; }
  painting = (async () => {
    do {
      again = false;
      if (job) await paintOnce(job);
    } while (again);
    painting = null;
  })();
  return painting;
}

async function paintOnce(shown) {
  const sides = SIDES[view()];
  try {
    const addresses = await Promise.all(sides.map((side) => loadPicture(pathOf(side, frame))));
    if (job !== shown) return;
    await Promise.all(sides.map(async (side, at) => {
      const image = stage.querySelector(`[data-side=${side}]`);
      if (image.src !== addresses[at]) image.src = addresses[at];
      await image.decode();
      image.hidden = false;
    }));
    element("words").textContent = view() === "difference" ? "The largest error of the frame is white; black is equal." : "";
  } catch (error) {
    if (job === shown) { element("words").textContent = `No picture: ${error.message}`; cine.stop(); }
  }
}

async function showFrame(wanted) {
  if (!job || !Number.isFinite(wanted)) return;
  frame = Math.min(frames - 1, Math.max(0, Math.trunc(wanted)));
  tellFrame();
  await paint();
}

function tellFrame() {
  for (const id of ["frame", "number"]) element(id).value = frame + 1;
  element("frame").setAttribute("aria-valuetext", `frame ${frame + 1} of ${frames}`);
  element("count").textContent = `of ${frames}`;
}

function playOrPause() {
  if (cine.playing) { cine.stop(); return; }
  cine.play(() => {
    const next = (frame + 1) % frames;
    for (let ahead = 1; ahead < Math.min(AHEAD, frames); ahead += 1) {
      for (const side of SIDES[view()]) loadPicture(pathOf(side, (next + ahead) % frames)).catch(() => {});
    }
    return next;
  });
}

let measuring = 0;
function measureSoon() {
  clearTimeout(measuring);
  measuring = setTimeout(measure, 300);
}

async function measure() {
  const shown = job;
  const of = frame;
  if (!shown || frames < 2) return;
  let text;
  try { text = describeMeasures(await askMeasures(shown.id, of), of); } catch (error) { text = error.message; }
  if (job === shown && frame === of) element("measures").textContent = text;
}

function chooseWindow(window) {
  chosen = window;
  tellWindow();
  paint();
}

function tellWindow() {
  const window = chosen ?? base?.source;
  if (!window) return;
  element("center").value = window.center;
  element("width").value = window.width;
}

// A drag that begins at the line moves the line, any other changes the window.
function dragBegun(event) {
  const { left, width } = stage.getBoundingClientRect();
  const line = left + width * element("slider").value / 100;
  const slides = view() === "slider" && (Math.abs(event.clientX - line) < NEAR || !base?.source);
  return { slides, window: chosen ?? base?.source };
}

function dragged({ slides, window }, across, up, event) {
  if (slides) {
    const { left, width } = stage.getBoundingClientRect();
    moveSlider(Math.min(100, Math.max(0, Math.round(100 * (event.clientX - left) / width))));
  } else if (window && view() !== "difference") chooseWindow(moved(window, across, up, base));
}

function keyPressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const step = stepOfKey(event);
  const jump = { PageUp: frame - 1, PageDown: frame + 1, Home: 0, End: frames - 1 }[event.key];
  if (step && base?.source) chooseWindow(moved(chosen ?? base.source, ...step, base));
  else if (jump !== undefined) { cine.stop(); showFrame(jump); measureSoon(); }
  else if (event.key === " " && frames > 1) playOrPause();
  else if (event.key === "r") chooseWindow(null);
  else if (event.key === "[" || event.key === "]") moveSlider(Number(element("slider").value) + (event.key === "]" ? 2 : -2));
  else if (VIEWS[event.key - 1]) {
    dialog.querySelector(`[value=${VIEWS[event.key - 1]}]`).checked = true;
    viewChosen();
  } else return;
  event.preventDefault();
}
