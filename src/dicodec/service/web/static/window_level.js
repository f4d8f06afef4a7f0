// Window and level of the viewer: numbers, drags and keys change the source's window, the result's follows.

const FAR = 1e12;
const STEP = 0.02;
const FAST = 5;

// The result may have other values for the same gray, such as inverted ones: both windows are related.
export function relate(window, base) {
  const { source, result } = base;
  if (!source || !result) return window;
  const inverted = base.photometric[0] !== base.photometric[1] && base.photometric.every((one) => one.startsWith("MONOCHROME"));
  const factor = (inverted ? -1 : 1) * (result.width / source.width);
  return { center: result.center + factor * (window.center - source.center), width: window.width * Math.abs(factor) };
}

export function moved(window, across, up, base) {
  const reach = base.source.width;
  const width = clamp(window.width * Math.exp(2 * across), reach / 1e6, FAR);
  return tidy({ center: clamp(window.center + up * reach, -FAR, FAR), width });
}

// A drag over the whole picture moves the center by the file's window, and widens it sevenfold.
export function listenToDrags(stage, { begin, move }) {
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = { x: event.clientX, y: event.clientY, kept: begin(event) };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    const size = stage.getBoundingClientRect();
    move(from.kept, (event.clientX - from.x) / size.width, (from.y - event.clientY) / size.height, event);
  });
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, () => { from = null; });
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// Returns how far a key moves the window: [across, up], or null if it is another key.
export function stepOfKey(event) {
  const step = KEYS[event.key];
  return step ? step.map((one) => one * STEP * (event.shiftKey ? FAST : 1)) : null;
}

export function parsed(center, width) {
  const found = { center: Number(center), width: Number(width) };
  const fits = center !== "" && Math.abs(found.center) <= FAR && found.width > 0 && found.width <= FAR;
  return fits ? found : null;
}

function clamp(value, low, high) { return Math.min(high, Math.max(low, value)); }

function tidy({ center, width }) {
  const digits = width >= 20 ? 0 : Math.min(12, Math.ceil(2 - Math.log10(width)));
  const round = (one) => Number(one.toFixed(digits));
  return { center: round(center), width: round(width) };
}
