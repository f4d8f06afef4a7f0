// Dropped files: each is uploaded as a job, followed by events, shown before and after.

import { ask, askJson, download, jobUrl, upload } from "./api.js";
import { addFields, showFor, values } from "./options.js";
import { STATES, baseName, make, picture, seconds, sizes } from "./shown.js";

const followed = new Map();
const list = document.getElementById("conversions");
const words = document.getElementById("convert-words");
const form = document.getElementById("convert-form");
let largest = Infinity;

export async function setUp(limit) {
  largest = limit;
  const syntaxes = await askJson("/api/syntaxes");
  const to = document.getElementById("to");
  to.append(...syntaxes.map((one) => make("option", { value: one.name, "data-lossy": one.lossy, selected: one.name === "explicit-le" },
    `${one.name}  (${one.title})`)));
  addFields(await askJson("/api/options"), document.getElementById("options"), document.getElementById("more-options"));
  to.addEventListener("change", () => syntaxChosen(to));
  syntaxChosen(to);
  const input = document.getElementById("files");
  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  const drop = document.getElementById("drop");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
  // A file that misses the field does not take the page away.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  form.addEventListener("submit", (event) => event.preventDefault());
}

function syntaxChosen(to) {
  const lossy = to.selectedOptions[0]?.dataset.lossy === "true";
  document.getElementById("lossy").checked = lossy;
  showFor(form, to.value);
}

async function take(files) {
  words.textContent = files.length === 1 ? `Converting ${files[0].name}` : `Converting ${files.length} files`;
  for (const file of [...files]) await convert(file);
}

async function convert(file) {
  const bar = make("progress", { max: 1, value: 0, "aria-label": `Uploading ${file.name}` });
  const state = make("span", { class: "state" }, "uploading");
  const buttons = make("span", { class: "row" });
  const body = make("div");
  const item = make("li", {}, make("div", { class: "row" }, make("span", { class: "name" }, file.name), state, buttons), bar, body);
  list.prepend(item);
  const shown = { name: file.name, bar, state, buttons, body, id: null };
  if (file.size > largest) { failed(shown, `the file is too large for this service`); return; }
  try {
    const answer = await upload(`/api/uploads?${new URLSearchParams(values(form))}`, file, (sent, all) => { bar.value = sent / all; });
    shown.id = answer.job.id;
    followed.set(shown.id, shown);
    bar.removeAttribute("value");
    bar.setAttribute("aria-label", `Converting ${file.name}`);
    state.textContent = "waiting";
    await look(shown);
  } catch (error) { failed(shown, error.message); }
}

export function heard(event) {
  const shown = followed.get(event.job);
  if (!shown) return;
  if (event.kind === "progress") { shown.bar.max = event.frames; shown.bar.value = event.frames_done; }
  if (event.kind === "started") shown.state.textContent = STATES.running;
  if (["succeeded", "dead", "cancelled"].includes(event.kind)) look(shown);
}

export function lookAgain() { for (const shown of followed.values()) look(shown); }

async function look(shown) {
  const job = await askJson(jobUrl(shown.id));
  if (!["done", "dead", "cancelled"].includes(job.state) || !followed.delete(shown.id)) return;
  if (job.state === "done") done(shown, job);
  else failed(shown, job.error_text ?? STATES[job.state]);
}

function done(shown, job) {
  shown.bar.remove();
  shown.state.textContent = `${STATES.done} in ${seconds(job.seconds)}`;
  shown.state.className = "state-done";
  const report = job.report;
  const name = `${shown.name.replace(/\.dcm$/i, "")}.${report.target_syntax}.dcm`;
  shown.buttons.append(make("button", { class: "main", type: "button", onclick: () => download(jobUrl(job.id, "/result"), name) }, "Download"));
  shown.body.append(make("p", { class: "quiet" },
    `${report.source_syntax} → ${report.target_syntax}, ${report.action}, ${sizes(job)}${report.lossy ? ", lossy" : ""}${report.verified ? ", verified" : ""}`));
  if (report.salvaged) shown.body.append(make("p", { class: "bad" }, report.salvaged));
  if (report.warnings.length) shown.body.append(make("ul", { class: "list" }, ...report.warnings.map((text) => make("li", {}, text))));
  if (report.frames) {
    shown.body.append(make("div", { class: "pictures" },
      picture(ask, jobUrl(job.id, "/preview/source"), `Before: ${report.source_syntax}`),
      picture(ask, jobUrl(job.id, "/preview/result"), `After: ${report.target_syntax}`)));
  }
  words.textContent = `${baseName(shown.name)} is converted.`;
}

function failed(shown, text) {
  shown.bar.remove();
  shown.state.textContent = "failed";
  shown.state.className = "state-dead";
  shown.body.append(make("p", { class: "bad" }, text));
  words.textContent = `${shown.name} was not converted: ${text}`;
}
