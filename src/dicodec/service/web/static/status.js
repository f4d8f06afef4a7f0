// How the service is: numbers, a chart of the last minutes, failures by cause.

import { ask, askJson } from "./api.js";
import { showCause } from "./jobs.js";
import { bytes, make, number, seconds } from "./shown.js";

const SVG = "http://www.w3.org/2000/svg";

export async function refresh() {
  const status = await askJson("/api/status");
  numbers(status);
  chart(status);
  causes(status.tallies);
  return status;
}

function count(tallies, state) {
  return tallies.filter((one) => one.state === state).reduce((sum, one) => sum + one.jobs, 0);
}

function numbers(status) {
  const lately = status.slots.slice(-12);
  const time = lately.length * status.slot_seconds;
  const done = lately.reduce((sum, slot) => sum + slot.done, 0);
  const size = lately.reduce((sum, slot) => sum + slot.bytes, 0);
  const dead = count(status.tallies, "dead");
  const rows = [
    ["Waiting", number(count(status.tallies, "pending"))],
    ["Running", number(count(status.tallies, "running"))],
    ["Done", number(count(status.tallies, "done")), "good-number"],
    ["Failed", number(dead), dead ? "bad-number" : ""],
    ["Files a minute", number(Math.round(done * 60 / time))],
    ["A second", `${bytes(size / time)}`],
    ["Queue age", status.queue_age < 1 ? "0 s" : seconds(status.queue_age)],
  ];
  document.getElementById("numbers").replaceChildren(...rows.map(([name, value, kind]) =>
    make("div", { class: kind }, make("dt", {}, name), make("dd", {}, value))));
}

function chart(status) {
  const highest = Math.max(1, ...status.slots.map((slot) => slot.done + slot.failed));
  const width = 600 / status.slots.length;
  const bars = [];
  status.slots.forEach((slot, at) => {
    let base = 80;
    for (const [kind, value] of [["done", slot.done], ["failed", slot.failed]]) {
      if (!value) continue;
      const height = Math.max(1.5, 76 * value / highest);
      base -= height;
      const bar = document.createElementNS(SVG, "rect");
      for (const [name, text] of Object.entries({ class: kind, x: at * width + 0.75, y: base, width: width - 1.5, height })) bar.setAttribute(name, text);
      bars.push(bar);
    }
  });
  document.getElementById("chart").replaceChildren(...bars);
  const done = status.slots.reduce((sum, slot) => sum + slot.done, 0);
  const failed = status.slots.reduce((sum, slot) => sum + slot.failed, 0);
  document.getElementById("chart-words").textContent =
    `The last five minutes: ${number(done)} done, ${number(failed)} failed attempts; ${status.workers} workers.`;
}

function causes(tallies) {
  const dead = tallies.filter((one) => one.state === "dead").sort((one, two) => two.jobs - one.jobs);
  const place = document.getElementById("causes");
  const shown = JSON.stringify(dead.map((one) => [one.cause, one.jobs]));
  if (place.dataset.shown === shown) return;  // a button that has the focus stays
  place.dataset.shown = shown;
  if (!dead.length) { place.replaceChildren(make("p", { class: "quiet" }, "None.")); return; }
  const most = dead[0].jobs;
  const rows = dead.map((one) => {
    const bar = make("span", { class: "bar" });
    bar.style.width = `${100 * one.jobs / most}%`;
    return make("tr", {},
      make("td", {}, make("button", { class: "open", type: "button", onclick: () => showCause(one.cause) }, one.cause), bar),
      make("td", { class: "number" }, number(one.jobs)),
      make("td", { class: "number" }, make("button", { type: "button", "aria-label": `Try ${one.cause} again`, onclick: retry(one.cause) }, "Try again")));
  });
  place.replaceChildren(make("div", { class: "table" }, make("table", {},
    make("caption", { class: "hidden" }, "Failed jobs by cause"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Cause"), make("th", { scope: "col", class: "number" }, "Jobs"), make("th", {}, make("span", { class: "hidden" }, "What to do")))),
    make("tbody", {}, ...rows))));
}

function retry(cause) {
  return async (event) => {
    event.target.disabled = true;
    await ask(`/api/jobs/retry?${new URLSearchParams({ cause })}`, { method: "POST" });
    document.getElementById("causes-title").setAttribute("tabindex", "-1");
    document.getElementById("causes-title").focus();
  };
}
