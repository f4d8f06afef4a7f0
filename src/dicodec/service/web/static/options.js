// The fields of the form, made from the options that the service declares.

import { make } from "./shown.js";

const IN_SIGHT = ["photometric", "lossy", "verify"];
const AT_FIRST = { verify: "true" };

export function addFields(options, inSight, others) {
  for (const option of options) {
    const place = IN_SIGHT.includes(option.name) || option.targets.length ? inSight : others;
    place.append(field(option));
  }
}

// Hides options that a target does not take, or all such if it is null; hidden options are not sent.
export function showFor(form, target) {
  for (const label of form.querySelectorAll("label[data-targets]")) {
    label.hidden = target === null || !label.dataset.targets.split(" ").includes(target);
  }
}

export function values(form) {
  const found = [];
  for (const input of form.querySelectorAll("[name]")) {
    if (input.name === "to" || input.closest("[hidden]") || (input.type === "checkbox" && !input.checked)) continue;
    const parts = input.tagName === "TEXTAREA" ? input.value.split("\n") : [input.value];
    for (const part of parts) if (part.trim()) found.push([input.name, part.trim()]);
  }
  return found;
}

function field(option) {
  const { type } = option.value;
  const label = option.label[0].toUpperCase() + option.label.slice(1);
  if (type === "boolean") {
    return make("label", { class: "check" }, make("input", { id: option.name, name: option.name, type: "checkbox", value: "true", checked: option.default }), label);
  }
  const range = option.value.minimum === undefined ? "" : `, ${option.value.minimum} to ${option.value.maximum}`;
  const targets = option.targets.length ? option.targets.join(" ") : null;
  return make("label", { "data-targets": targets, hidden: targets !== null }, label + range, input(option));
}

function input(option) {
  const { type, anyOf, enum: words, minimum, maximum } = option.value;
  const named = { name: option.name };
  if (anyOf) return choice(option, [["false", "no"], ["true", "yes"], ...anyOf.flatMap((one) => one.enum ?? []).map((word) => [word, word])]);
  if (words) return choice(option, [...(option.default === null ? [["", "no"]] : []), ...words.map((word) => [word, word])]);
  if (type === "integer" || type === "number") return make("input", { ...named, type: "number", min: minimum, max: maximum, step: type === "integer" ? 1 : "any" });
  const text = { ...named, placeholder: option.placeholder, autocomplete: "off", spellcheck: "false" };
  return type === "string" ? make("input", text) : make("textarea", { ...text, rows: 2 });
}

function choice(option, words) {
  const chosen = AT_FIRST[option.name] ?? String(option.default ?? "");
  return make("select", { name: option.name }, ...words.map(([value, shown]) => make("option", { value, selected: value === chosen }, shown)));
}
