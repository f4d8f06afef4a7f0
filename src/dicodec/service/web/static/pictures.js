// Pictures of frames: asked for with the token, kept for a while, loaded when they come into sight.

import { ask, jobUrl } from "./api.js";
import { make } from "./shown.js";

const MOST_KEPT = 300;
const SMALL = 384;
const kept = new Map();

// A window that is null is the file's own.
export function framePath(id, side, frame, size, window) {
  const wanted = new URLSearchParams({ frame, size });
  if (side === "difference") return jobUrl(id, `/difference?${wanted}`);
  if (window) { wanted.set("center", window.center); wanted.set("width", window.width); }
  return jobUrl(id, `/preview/${side}?${wanted}`);
}

// Returns the promise of an address within this page.
export function loadPicture(path) {
  let address = kept.get(path);
  kept.delete(path);
  address ??= ask(path).then((response) => response.blob()).then((blob) => URL.createObjectURL(blob));
  kept.set(path, address);
  address.catch(() => kept.delete(path));
  if (kept.size > MOST_KEPT) {
    const [oldest, gone] = kept.entries().next().value;
    kept.delete(oldest);
    gone.then((url) => URL.revokeObjectURL(url), () => {});
  }
  return address;
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.dispatchEvent(new Event("seen"));
  }
}, { rootMargin: "200px" });

// Calls a function once an element comes into sight.
export function whenSeen(element, work) {
  element.addEventListener("seen", work, { once: true });
  seen.observe(element);
}

// A small picture that opens the viewer.
export function thumbnail(id, side, words, open) {
  const place = make("span", { class: "blank" }, "…");
  const button = make("button", { type: "button", class: "thumb", title: "Enlarge", onclick: open }, place);
  const figure = make("figure", {}, button, make("figcaption", {}, words));
  button.setAttribute("aria-label", `${words}, enlarge`);
  whenSeen(figure, async () => {
    try {
      const image = make("img", { alt: words, src: await loadPicture(framePath(id, side, 0, SMALL, null)) });
      await image.decode();
      place.replaceWith(image);
    } catch (error) {
      button.disabled = true;
      place.textContent = `No picture: ${error.message}`;
    }
  });
  return figure;
}
