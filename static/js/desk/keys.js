// The keys of the desk. A key presses the button that everybody can press.

import { areKeysOn, isField, keepKeysChoice } from "../common/keys.js";

const part = (id) => document.getElementById(id);
const BUTTONS = {
  a: "accept-sure",
  s: "ask-similar",
  u: "undo",
  w: "ask-write",
  n: "next-open",
  p: "previous-open",
  "?": "ask-help",
};
const REPEATED = "np"; // walking goes on while the key is held down

/** walk(event): an arrow key; enter(): into the tags of the photo. The keys that
 * choose photos are in desk_choosing.js. */
export function listenToKeys({ walk, enter }) {
  keepKeysChoice();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(event.target) || document.querySelector("dialog[open]")) return;
    const inGrid = part("grid").contains(event.target);
    if (!inGrid && !areKeysOn()) return; // within a list the arrows stay
    if (press(event, inGrid, { walk, enter })) event.preventDefault();
  });
}

function press(event, inGrid, { walk, enter }) {
  if (event.target.closest?.("#tags") && event.key.startsWith("Arrow")) return false;
  if (inGrid && event.key === "Enter") return enter() || true;
  if (walk(event)) return true;
  if (!areKeysOn()) return false;
  const key = event.key.toLowerCase();
  if (key === "t") {
    if (!part("one").hidden) part("typed").focus();
    return true;
  }
  if (!(key in BUTTONS)) return false;
  if (!event.repeat || REPEATED.includes(key)) part(BUTTONS[key]).click();
  return true;
}
