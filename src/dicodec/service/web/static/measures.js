// How far a result is from its source, in numbers and as people read them.

import { askJson, jobUrl } from "./api.js";
import { number } from "./shown.js";

const kept = new Map();
const MOST_KEPT = 500;

// Of one frame, or if that is null of all (of long files a part).
export function askMeasures(id, frame) {
  const path = jobUrl(id, `/measures${frame === null ? "" : `?frame=${frame}`}`);
  if (!kept.has(path)) {
    const found = askJson(path);
    kept.set(path, found);
    found.catch(() => kept.delete(path));
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(path);
}

export function describeMeasures(measures, frame) {
  if (measures.reasons.length) return `Not compared: ${measures.reasons.join("; ")}.`;
  const scope = frame === null ? describeScope(measures) : `Frame ${frame + 1}: `;
  if (measures.differing_samples === 0) return `${scope}every sample is equal.`;
  const psnr = measures.psnr === null ? "" : `PSNR ${measures.psnr.toFixed(1)} dB, `;
  const largest = measures.largest_error === null ? "not a number" : number(measures.largest_error);
  return `${scope}${psnr}largest error ${largest}, ${number(measures.differing_samples)} samples differ.`;
}

function describeScope(measures) {
  const all = Math.min(measures.source.frames, measures.result.frames);
  return measures.measured_frames < all ? `${measures.measured_frames} of ${number(all)} frames: ` : "";
}
