// The form and its files: each is uploaded as a job, followed by events, and listed again after a reload.

import { askJson, jobUrl, upload, withTenant } from "./api.js";
import { collectChosen, collectDropped } from "./dropped.js";
import { addFields, showFor, values } from "./options.js";
import * as results from "./results.js";
import { STATES, baseName, number } from "./shown.js";
import { aboutTarget, chosenSyntax, fillTargets, isLossy, targetParameter } from "./targets.js";

const AT_ONCE = 3;
const OVER = ["done", "dead", "cancelled"];
const followed = new Map();
const words = document.getElementById("convert-words");
const form = document.getElementById("convert-form");
const to = document.getElementById("to");
const waiting = [];
const tally = { all: 0, done: 0, failed: 0, last: "" };
let largest = Infinity;
let busy = 0;

export async function setUp(limit) {
  largest = limit;
  await fillTargets(to);
  addFields(await askJson("/api/options"), document.getElementById("options"), document.getElementById("more-options"));
  to.addEventListener("change", targetChosen);
  targetChosen();
  results.setUp();
  setUpFiles();
  form.addEventListener("submit", (event) => event.preventDefault());
  await listAgain();
}

function setUpFiles() {
  for (const id of ["files", "folder"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => { take(collectChosen(input.files)); input.value = ""; });
  }
  document.getElementById("choose-folder").addEventListener("click", () => document.getElementById("folder").click());
  const drop = document.getElementById("drop");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    try { take(await collectDropped(event.dataTransfer)); } catch (error) {
      words.textContent = `The folder cannot be read: ${error.message}`;
    }
  });
  // A file that misses the field does not take the page away.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
}

function targetChosen() {
  document.getElementById("lossy").checked = isLossy(to);
  document.getElementById("about-target").textContent = aboutTarget(to);
  showFor(form, chosenSyntax(to));
}

async function listAgain() {
  const { jobs } = await askJson(`/api/uploads?${withTenant(new URLSearchParams())}`);
  for (const job of jobs.reverse()) {
    const shown = results.addItem(job.source, "");
    results.showWaiting(shown, job.state);
    follow(shown, job.id);
  }
}

function take(files) {
  if (!files.length) { words.textContent = "There are no files in it."; return; }
  const parameters = withTenant(new URLSearchParams([targetParameter(to), ...values(form)]));
  if (tally.all === tally.done + tally.failed) Object.assign(tally, { all: 0, done: 0, failed: 0 });
  tally.all += files.length;
  waiting.push(...files.map((one) => ({ ...one, parameters })));
  tell();
  for (; busy < AT_ONCE && waiting.length; busy += 1) work();
}

async function work() {
  while (waiting.length) await convert(waiting.shift());
  busy -= 1;
}

async function convert({ file, folder, parameters }) {
  const shown = results.addItem(file.name, folder);
  shown.counts = true;
  if (file.size > largest) { failed(shown, "the file is too large for this service"); return; }
  try {
    const answer = await upload(`/api/uploads?${parameters}`, file, (sent, all) => { shown.bar.value = sent / all; });
    results.showWaiting(shown, answer.job.state);
    await follow(shown, answer.job.id);
  } catch (error) { failed(shown, error.message); }
}

async function follow(shown, id) {
  shown.id = id;
  followed.set(id, shown);
  await look(shown);
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
  if (!OVER.includes(job.state) || !followed.delete(shown.id)) return;
  if (job.state !== "done") { failed(shown, job.error_text ?? STATES[job.state]); return; }
  results.showDone(shown, job);
  count(shown, "done", `${baseName(shown.name)} is converted.`);
}

function failed(shown, text) {
  results.showFailed(shown, text);
  count(shown, "failed", `${baseName(shown.name)} was not converted: ${text}`);
}

// Only files of this visit are counted, not those that are listed again.
function count(shown, kind, sentence) {
  if (!shown.counts) return;
  tally[kind] += 1;
  tally.last = sentence;
  tell();
}

function tell() {
  const { all, done, failed: lost, last } = tally;
  const over = done + lost;
  if (all === 1) words.textContent = over ? last : "Converting one file";
  else words.textContent = `${number(done)} of ${number(all)} files converted${lost ? `, ${number(lost)} failed` : ""}${over < all ? "" : "."}`;
}
