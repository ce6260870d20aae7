// The keys of the rating page. A key presses the button that everybody can press.

import { areKeysOn, isField, keepKeysChoice } from "../common/keys.js";

const part = (id) => document.getElementById(id);
const BUTTONS = { j: "top_right", k: "one_of_k_right", l: "none_right", s: "skip", u: "undo" };
const NEXT = { "": "yes", yes: "no", no: "" };
const WORDS = { "": "unsaid", yes: "yes", no: "no" };

/** Listen to single keys, unless they were turned off or belong to a field. */
export function listenToKeys({ isFree, say }) {
  keepKeysChoice();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(event.target)) {
      if (["Escape", "Enter"].includes(event.key)) event.target.blur();
      return;
    }
    if (part("help").open || !areKeysOn()) return;
    if (press(event, isFree, say)) event.preventDefault();
  });
}

function press(event, isFree, say) {
  const key = event.key.toLowerCase();
  if (key === "?") return part("help").showModal() ?? true;
  // a key that is held down is one answer, not thirty
  if (event.repeat || !isFree()) return key in BUTTONS;
  if (key in BUTTONS) return part(BUTTONS[key])?.click() ?? true;
  if (key === "t" && part("typed")) return part("typed").focus() ?? true;
  return /^[1-9]$/.test(key) && mark(key, say);
}

/** Unsaid, yes, no, unsaid. */
function mark(rank, say) {
  const choices = [...document.querySelectorAll(`[name=tag-${rank}]`)];
  if (!choices.length) return false;
  const value = NEXT[choices.find((choice) => choice.checked)?.value ?? ""];
  choices.find((choice) => choice.value === value).checked = true;
  say(`${part(`tag-name-${rank}`).textContent}: ${WORDS[value]}.`);
  return true;
}
