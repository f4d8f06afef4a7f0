// The list of converted files: an item each, with its pictures, numbers and download.

import { download, downloadZip, jobUrl } from "./api.js";
import { askMeasures, describeMeasures } from "./measures.js";
import { thumbnail, whenSeen } from "./pictures.js";
import { STATES, baseName, bytes, make, number, seconds } from "./shown.js";
import { openViewer } from "./viewer.js";

const list = document.getElementById("conversions");
const all = document.getElementById("download-all");
const ready = [];

export function setUp() {
  all.addEventListener("click", async () => {
    all.disabled = true;
    try { await downloadZip(ready.map(({ job, name }) => ({ job, name }))); } catch (error) {
      document.getElementById("convert-words").textContent = `No download: ${error.message}`;
    }
    all.disabled = false;
  });
}

// Returns an item at the head of the list.
export function addItem(name, folder) {
  const shown = { name, folder, id: null, body: make("div") };
  shown.state = make("span", { class: "state" }, "uploading");
  shown.buttons = make("span", { class: "row" });
  shown.bar = make("progress", { max: 1, value: 0, "aria-label": `Uploading ${baseName(name)}` });
  const label = make("span", { class: "name" }, baseName(name));
  if (folder) label.prepend(make("span", { class: "folder" }, `${baseNames(folder)}/`));
  list.prepend(make("li", {}, make("div", { class: "row" }, label, shown.state, shown.buttons), shown.bar, shown.body));
  return shown;
}

function baseNames(folder) { return folder.split("/").map(baseName).join("/"); }

export function showWaiting(shown, state) {
  shown.bar.removeAttribute("value");
  shown.bar.setAttribute("aria-label", `Converting ${baseName(shown.name)}`);
  shown.state.textContent = STATES[state];
}

export function showDone(shown, job) {
  const { report } = job;
  shown.bar.remove();
  shown.state.textContent = `${STATES.done} in ${seconds(job.seconds)}`;
  shown.state.className = "state-done";
  const name = `${shown.name.replace(/\.dcm$/i, "")}.${report.target_syntax}.dcm`;
  shown.buttons.append(make("button", { class: "main", type: "button", "aria-label": `Download ${baseName(name)}`, onclick: () => download(jobUrl(job.id, "/result"), name) }, "Download"));
  shown.body.append(make("p", { class: "quiet" }, summary(job)));
  if (report.salvaged) shown.body.append(make("p", { class: "bad" }, report.salvaged));
  if (report.warnings.length) shown.body.append(make("ul", { class: "list" }, ...report.warnings.map((text) => make("li", {}, text))));
  if (report.frames) shown.body.append(...views(job));
  ready.unshift({ job: job.id, name: shown.folder ? `${shown.folder}/${name}` : name });
  all.hidden = ready.length < 2;
  all.textContent = `Download all ${number(ready.length)} as ZIP`;
}

function summary({ report, source_size: before, target_size: after }) {
  const part = after && before ? `, ${Math.round(100 * after / before)} %` : "";
  return [`${report.source_syntax} → ${report.target_syntax}`, report.action, `${bytes(before)} → ${bytes(after)}${part}`,
    report.frames > 1 && `${number(report.frames)} frames`, report.lossy && "lossy", report.verified && "verified"].filter(Boolean).join(", ");
}

// Returns both pictures, and the numbers of a lossy result.
export function views(job) {
  const { report } = job;
  const open = () => openViewer(job);
  const pictures = make("div", { class: "pictures" },
    thumbnail(job.id, "source", `Before: ${report.source_syntax}`, open),
    thumbnail(job.id, "result", `After: ${report.target_syntax}`, open));
  if (!report.lossy) return [pictures];
  const words = make("p", { class: "quiet measures" }, "…");
  whenSeen(pictures, async () => {
    try { words.textContent = describeMeasures(await askMeasures(job.id, null), null); } catch (error) {
      words.textContent = `Not compared: ${error.message}`;
    }
  });
  return [words, pictures];
}

export function showFailed(shown, text) {
  shown.bar.remove();
  shown.state.textContent = STATES.dead;
  shown.state.className = "state-dead";
  shown.body.append(make("p", { class: "bad" }, text));
}
