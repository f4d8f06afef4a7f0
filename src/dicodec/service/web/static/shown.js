// Elements and numbers, as people read them. Text is always text, never markup.

export const STATES = { pending: "waiting", running: "running", done: "done", dead: "failed", cancelled: "cancelled" };

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${count < 10 && unit ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export function seconds(count) {
  if (count === null || count === undefined) return "";
  if (count < 1) return `${Math.round(count * 1000)} ms`;
  if (count < 120) return `${count.toFixed(1)} s`;
  return count < 7200 ? `${Math.round(count / 60)} min` : `${Math.round(count / 3600)} h`;
}

export function ago(time) {
  const passed = Date.now() / 1000 - time;
  return passed < 2 ? "now" : `${seconds(Math.floor(passed)).replace(".0", "")} ago`;
}

export function number(count) { return count.toLocaleString("en-US"); }

// Characters that are not seen, such as U+202E, would show another name.
export function baseName(path) {
  return path.split("/").pop().replace(/[\p{Cf}\p{Cc}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

export function sizes(job) {
  if (job.source_size === null) return "";
  return `${bytes(job.source_size)} → ${bytes(job.target_size)}`;
}

export function facts(rows) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of rows) {
    if (value !== null && value !== undefined && value !== "") list.append(make("dt", {}, name), make("dd", {}, String(value)));
  }
  return list;
}
