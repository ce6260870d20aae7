// How photos are chosen: presses with a key held, and a button; keys.js has the keys.

import { counted } from "../common/words.js";

const part = (id) => document.getElementById(id);

export function listenToChoosing({ selection, photos, say }) {
  part("choose").addEventListener("click", () => {
    if (selection.isAny) selection.letGo();
    else selection.begin();
  });

  let told = 0;
  selection.addEventListener("change", () => {
    show(selection);
    if (told === selection.size) return;
    told = selection.size;
    say(told ? `${counted(told, "photo")} chosen.` : "No photo is chosen.");
  });
  // the current photo may be another one of them, or none
  photos.addEventListener("change", ({ detail }) => !detail && show(selection));
}

/** A press on a photo of the grid. */
export function pressed(selection, photo, { shiftKey, ctrlKey, metaKey }) {
  if (shiftKey) selection.extend(photo);
  else if (ctrlKey || metaKey || selection.isOn) selection.toggle(photo);
  else selection.go(photo);
}

function show(selection) {
  const { size, isAny, photos } = selection;
  part("choose").setAttribute("aria-pressed", String(isAny));
  part("n-chosen").textContent = size ? `${size} chosen` : "";
  part("for-chosen").hidden = !size;
  if (!size) return;
  const those = size === 1 ? "the chosen photo" : `all ${size} chosen photos`;
  const also = selection.has(photos.current) ? "" : ", not to this one";
  part("for-chosen").textContent = `What you decide goes to ${those}${also}.`;
}
