// Whether single keys are used: a box that everybody can untick (WCAG 2.1.4).

const STORED = "lablr-keys";
const box = document.getElementById("keys-on");

export const areKeysOn = () => box.checked;

/** Whether what is typed there is text. */
export const isField = (element) =>
  element.matches?.("input:not([type=radio], [type=checkbox], [type=file]), textarea, select") ?? false;

/** Set the box as it was left, and keep what becomes of it. */
export function keepKeysChoice() {
  box.checked = remembered() !== "off";
  box.addEventListener("change", () => remember(box.checked ? "on" : "off"));
}

function remembered() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // storage may be forbidden
  }
}

function remember(value) {
  try {
    localStorage.setItem(STORED, value);
  } catch {
    // then it holds until the page is left
  }
}
