// The list of jobs, and one job in full.

import { ask, askJson, download, jobUrl, withTenant } from "./api.js";
import { views } from "./results.js";
import { STATES, ago, baseName, facts, make, seconds, sizes } from "./shown.js";

const body = document.getElementById("jobs");
const none = document.getElementById("no-jobs");
const more = document.getElementById("more");
const filter = document.getElementById("filter");
const dialog = document.getElementById("details");
const rows = new Map();
let next = null;
let shownJob = null;
let typing = 0;

export function setUp() {
  filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refresh, 250); });
  filter.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  more.addEventListener("click", async () => {
    const before = body.lastElementChild;
    await load(next);
    before?.nextElementSibling?.querySelector("button")?.focus();
  });
  document.getElementById("details-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { shownJob = null; });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

export function showCause(cause) {
  filter.elements.cause.value = cause;
  filter.elements.state.value = "";
  refresh();
  document.getElementById("jobs-title").scrollIntoView({ block: "start" });
  filter.elements.cause.focus({ preventScroll: true });
}

function address(before) {
  const wanted = withTenant(new URLSearchParams({ limit: "25" }));
  for (const [name, value] of new FormData(filter)) if (value.trim()) wanted.set(name, value.trim());
  if (before) wanted.set("before", before);
  return `/api/jobs?${wanted}`;
}

export async function refresh() {
  const page = await askJson(address(null));
  // Rows that were loaded before stay, so that nobody loses the place they read at.
  const kept = rows.size > page.jobs.length ? null : page.next;
  const focused = document.activeElement?.dataset?.job;
  rows.clear();
  body.replaceChildren(...page.jobs.map(row));
  next = page.next ?? kept;
  none.hidden = page.jobs.length > 0;
  more.hidden = !next;
  if (focused) rows.get(focused)?.querySelector("button")?.focus({ preventScroll: true });
}

async function load(before) {
  const page = await askJson(address(before));
  body.append(...page.jobs.map(row));
  next = page.next;
  more.hidden = !next;
}

function row(job) {
  const element = make("tr", {},
    make("td", {}, make("button", { class: "open", type: "button", title: job.source, "data-job": job.id, onclick: () => show(job.id) }, baseName(job.source))),
    make("td", { class: `state state-${job.state}` }, STATES[job.state]),
    make("td", { class: "progress" }, ...progressOf(job)),
    make("td", { class: "number" }, sizes(job)),
    make("td", { class: "number" }, seconds(job.seconds)),
    make("td", { class: "number" }, ago(job.finished ?? job.started ?? job.created)));
  rows.set(job.id, element);
  return element;
}

function progressOf(job) {
  if (job.state === "running") return [bar(job.frames_done, job.frames)];
  if (job.error_code) return [`${job.error_code}${job.attempts > 1 ? `, attempt ${job.attempts}` : ""}`];
  return [job.action ?? ""];
}

function bar(done, frames) {
  const element = make("progress", { "aria-label": "frames" });
  if (frames) { element.max = frames; element.value = done; element.title = `${done} of ${frames} frames`; }
  return element;
}

export function heard(event) {
  const element = rows.get(event.job);
  if (element && event.kind === "progress") {
    element.querySelector("td.progress").replaceChildren(bar(event.frames_done, event.frames));
  }
  if (shownJob === event.job && event.kind !== "progress") show(event.job);
}

async function show(id) {
  let job;
  try { job = await askJson(jobUrl(id)); } catch (error) {
    document.getElementById("details-body").replaceChildren(make("p", { class: "bad" }, error.message));
    return;
  }
  shownJob = id;
  document.getElementById("details-title").textContent = baseName(job.source);
  document.getElementById("details-body").replaceChildren(...content(job));
  if (!dialog.open) dialog.showModal();
}

function content(job) {
  const report = job.report;
  const parts = [make("p", { class: "row" }, make("strong", { class: `state-${job.state}` }, STATES[job.state]), ...buttons(job))];
  if (job.error) {
    parts.push(make("p", { class: "bad", role: "alert" }, job.error.message, make("br"), make("code", {}, job.error.code)));
    parts.push(facts([["Hint", job.error.hint], ["Frame", job.error.frame], ["Attribute", job.error.attribute], ["At byte", job.error.offset]]));
  }
  parts.push(facts([
    ["Source", job.source], ["Result", job.source.includes("/") ? job.request.target ?? job.request.target_folder : ""],
    ["To", (job.request.to ?? []).join(", ")], ["Policy", job.request.policy],
    ["Transfer syntax", report && `${report.source_syntax} → ${report.target_syntax}`],
    ["Done", report && report.action], ["Frames", report && report.frames],
    ["Photometric Interpretation", report?.photometric_interpretation?.join(" → ")],
    ["Size", sizes(job)], ["Compression ratio", report?.compression_ratio],
    ["Salvaged", report?.salvaged],
    ["Lossy", report && (report.lossy ? "yes" : "no")], ["Verified", report && (report.verified ? "yes" : "no")],
    ["Time", seconds(job.seconds)], ["Attempts", job.attempts], ["Tenant", job.tenant], ["Trace", job.trace_id], ["Job", job.id],
    ["Next attempt", job.not_before && new Date(job.not_before * 1000).toLocaleString()],
  ]));
  if (report) {
    for (const [title, lines] of [["Warnings", report.warnings], ["Not standard in the source", report.oddities.map((one) => one.text)], ["Decisions", report.decisions], ["Changes", report.changes]]) {
      if (lines?.length) parts.push(make("h3", {}, title), make("ul", { class: "list" }, ...lines.map((text) => make("li", {}, text))));
    }
    if (report.frames && job.state === "done") parts.push(showPictures(job));
  }
  if (job.history.length) {
    parts.push(make("h3", {}, "Failed attempts"), make("ol", { class: "list" },
      ...job.history.map((one) => make("li", {}, `${new Date(one.at * 1000).toLocaleString()}: ${one.message} (${one.code})`))));
  }
  parts.push(make("details", {}, make("summary", {}, "As JSON"), make("pre", { tabindex: "0" }, JSON.stringify(job, null, 1))));
  return parts;
}

function showPictures(job) {
  const place = make("details", { ontoggle: (event) => {
    if (event.target.open && !place.querySelector(".pictures")) place.append(...views(job));
  } }, make("summary", {}, "Before and after"));
  return place;
}

function buttons(job) {
  const act = (word) => async (event) => {
    event.target.disabled = true;
    try { await ask(jobUrl(job.id, `/${word}`), { method: "POST" }); } catch (error) {
      event.target.after(make("span", { class: "bad", role: "alert" }, error.message));
      return;
    }
    await show(job.id);
    await refresh();
    document.getElementById("details-close").focus();
  };
  const found = [];
  if (job.state === "dead" || job.state === "cancelled") found.push(make("button", { type: "button", class: "main", onclick: act("retry") }, "Try again"));
  if (job.state === "pending" || job.state === "running") found.push(make("button", { type: "button", onclick: act("cancel") }, "Cancel"));
  if (job.state === "done" && job.report?.action !== "left alone") {
    found.push(make("button", { type: "button", onclick: () => download(jobUrl(job.id, "/result"), baseName(job.source)) }, "Download the result"));
  }
  return found;
}
