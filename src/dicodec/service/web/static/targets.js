// The choice of what files become: by purpose, by a policy, or by the name of a transfer syntax.

import { askJson } from "./api.js";
import { make } from "./shown.js";

const POLICY = "policy:";
// Profiles that come with dicodec, in the words of those who need a result and no name.
const PURPOSES = { archive: "Smallest, nothing is lost", web: "For the web" };

export async function fillTargets(select) {
  const [policies, syntaxes] = await Promise.all([askJson("/api/policies"), askJson("/api/syntaxes")]);
  const known = new Map(policies.map((one) => [one.name, one]));
  const purposes = Object.keys(PURPOSES).filter((name) => known.has(name)).map((name) => policyOption(known.get(name), PURPOSES[name]));
  const others = policies.filter((one) => !(one.name in PURPOSES)).map((one) => policyOption(one, one.name));
  select.replaceChildren(
    make("optgroup", { label: "By purpose" }, ...purposes),
    make("optgroup", { label: "By policy" }, ...others),
    make("optgroup", { label: "By transfer syntax" }, ...syntaxes.map((one) =>
      make("option", { value: one.name, "data-lossy": String(one.lossy), "data-about": one.title }, one.name))));
  select.selectedIndex = 0;
}

function policyOption(policy, words) {
  return make("option", { value: POLICY + policy.name, "data-about": policy.description }, words);
}

// Returns the chosen transfer syntax; null if a policy chooses.
export function chosenSyntax(select) { return select.value.startsWith(POLICY) ? null : select.value; }

export function aboutTarget(select) { return select.selectedOptions[0]?.dataset.about ?? ""; }

export function isLossy(select) { return select.selectedOptions[0]?.dataset.lossy === "true"; }

// Returns the parameter of a request: [name, value].
export function targetParameter(select) {
  const syntax = chosenSyntax(select);
  return syntax === null ? ["policy", select.value.slice(POLICY.length)] : ["to", syntax];
}
