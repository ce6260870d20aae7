// How photos are chosen: keys in the grid, presses with a key held, and a button.

import { counted } from "../common/words.js";

const part = (id) => document.getElementById(id);
const grid = part("grid");

/** beyond(key): the photo that an arrow key leads to. focus(): back to the grid. */
export function listenToChoosing({ selection, photos, beyond, focus, say }) {
  const isAny = () => selection.isOn || selection.size > 0;

  grid.addEventListener("keydown", (event) => {
    if (!photos.current || !press(event)) return;
    event.preventDefault();
    event.stopPropagation(); // no key of the page
    focus();
  });

  /** Whether it was a key that chooses. */
  function press(event) {
    const { key, shiftKey, altKey } = event;
    const command = event.ctrlKey || event.metaKey;
    if (altKey) return false;
    if (key === "Escape" && isAny()) selection.letGo();
    else if (command && !shiftKey && key.toLowerCase() === "a") selection.all();
    else if (command) return false;
    else if (key === " ") chooseHere();
    else if (shiftKey && beyond(key)) selection.extend(beyond(key));
    else return false;
    return true;
  }

  /** One by one: walking on to the next one must not let this one go. */
  function chooseHere() {
    selection.begin();
    selection.toggle(photos.current);
  }

  part("choose").addEventListener("click", () => {
    if (isAny()) selection.letGo();
    else selection.begin();
  });

  let told = 0;
  selection.addEventListener("change", () => {
    show(selection, isAny());
    if (told === selection.size) return;
    told = selection.size;
    say(told ? `${counted(told, "photo")} chosen.` : "No photo is chosen.");
  });
  // the current photo may be another one of them, or none
  photos.addEventListener("change", ({ detail }) => !detail && show(selection, isAny()));
}

/** A press on a photo of the grid. */
export function pressed(selection, photo, { shiftKey, ctrlKey, metaKey }) {
  if (shiftKey) selection.extend(photo);
  else if (ctrlKey || metaKey || selection.isOn) selection.toggle(photo);
  else selection.go(photo);
}

function show(selection, isAny) {
  const { size, photos } = selection;
  part("choose").setAttribute("aria-pressed", String(isAny));
  part("n-chosen").textContent = size ? `${size} chosen` : "";
  part("for-chosen").hidden = !size;
  if (!size) return;
  const those = size === 1 ? "the chosen photo" : `all ${size} chosen photos`;
  const also = selection.has(photos.current) ? "" : ", not to this one";
  part("for-chosen").textContent = `What you decide goes to ${those}${also}.`;
}
