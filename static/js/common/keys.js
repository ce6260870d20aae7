// The keys of the pages: one table, which the keyboard follows and the help shows.

import { kept } from "./storage.js";

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
const withShift = (key) => `Shift+${key}`;

/*
 * press: key -> the element that everybody can press, by id; a field gets the focus.
 * keys and deed: what the page itself does (`listenToKeys`).
 * only: the element in which the keys count, there even when single keys are off;
 *   elsewhere they count unless somebody types.
 * repeats: goes on while the key is held down; else a key is one answer, not thirty.
 * help: what the list of keys says, and shown: how it writes them, `keys` in backquotes.
 * The first row that fits is taken.
 */
const KEYS = {
  desk: [
    { keys: ARROWS, deed: "goToTag", only: "#tags", repeats: true },
    { keys: ARROWS, deed: "walk", only: "#grid", repeats: true },
    { keys: ARROWS, deed: "walk", repeats: true, shown: "`←` `→` `↑` `↓`", help: "another photo; among tags, another tag" },
    { press: { n: "next-open", p: "previous-open" }, repeats: true, help: "next, previous undecided photo" },
    { press: { a: "accept-sure" }, help: "accept all suggestions above the threshold" },
    { keys: ["Enter"], deed: "enterTags", only: "#grid", help: "to the photo’s tags; there, accept the tag or take it back" },
    { keys: ["Backspace", "Delete"], deed: "rejectTag", only: "#tags", shown: "`Backspace`", help: "reject the tag" },
    { keys: ["Space"], deed: "choose", only: "#grid", help: "choose a photo, or let it go" },
    { keys: ARROWS.map(withShift), deed: "extend", only: "#grid", repeats: true, shown: "`Shift` + arrows", help: "choose photos in a row" },
    { keys: ["Ctrl+a"], deed: "chooseAll", only: "#grid", shown: "`Ctrl` or `⌘` + `a`", help: "among the photos: choose all" },
    { keys: ["Escape"], deed: "letGo", only: "#grid" },
    { keys: ["Escape"], deed: "toGrid", only: "#tags, #typed", shown: "`Esc`", help: "back to the photos; there, let the chosen ones go" },
    { press: { t: "typed" }, help: "type a tag" },
    { press: { s: "ask-similar" }, help: "the same for photos like this one" },
    { press: { u: "undo" }, help: "undo the last step, as often as you like" },
    { press: { w: "ask-write" }, help: "write tags into the files" },
    { keys: ["?"], deed: "help", help: "this list" },
  ],
  rate: [
    { press: { j: "top_right" }, help: "the top tag is right" },
    { press: { k: "one_of_k_right" }, help: "the top tag is wrong, but another one is right" },
    { press: { l: "none_right" }, help: "none is right" },
    { keys: [..."123456789"], deed: "mark", shown: "`1` to `9`", help: "mark a tag: yes, no, unsaid" },
    { press: { t: "typed" }, help: "type a tag that is missing" },
    { keys: ["Enter", "Escape"], deed: "blur", only: "#typed" },
    { press: { u: "undo" }, help: "undo" },
    { press: { s: "skip" }, help: "skip this photo" },
    { keys: ["?"], deed: "help", help: "this list" },
  ],
};

const choice = kept("lablr-keys", "localStorage");
const part = (id) => document.getElementById(id);
const keysOf = ({ press, keys = Object.keys(press) }) => keys;

/** deeds: name -> what the page does, given the event; false when that is nothing. */
export function listenToKeys(page, deeds) {
  const rows = KEYS[page];
  const help = () => part("help").showModal();
  keepChoice();
  showHelp(rows);
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const name = nameOf(event);
    const row = rows.find((each) => keysOf(each).includes(name) && isHere(each, event.target));
    if (!row) return;
    const act = row.press ? () => press(row.press[name]) : { help, ...deeds }[row.deed];
    const isHeld = event.repeat && !row.repeats;
    if (isHeld || act(event) !== false) event.preventDefault();
  });
}

function nameOf({ key, shiftKey, ctrlKey, metaKey }) {
  const command = ctrlKey || metaKey;
  const name = key === " " ? "Space" : key.length > 1 ? key : key.toLowerCase();
  const shift = shiftKey && (key.length > 1 || command); // "?" needs it
  return (command ? "Ctrl+" : "") + (shift ? withShift(name) : name);
}

const isHere = ({ only }, target) =>
  only ? target.closest?.(only) : part("keys-on").checked && !isField(target);

const isField = (element) =>
  element.matches?.("input:not([type=radio], [type=checkbox], [type=file]), textarea, select") ?? false;

function press(id) {
  const element = part(id);
  if (element && isField(element)) element.focus();
  else element?.click();
}

const kbd = (text) => `<kbd>${text}</kbd>`;

function showHelp(rows) {
  const lines = rows.filter(({ help }) => help).map((row) => {
    const keys = row.shown?.replace(/`(.+?)`/g, (_, key) => kbd(key)) ?? keysOf(row).map(kbd).join(" ");
    return `<div><dt>${keys}</dt><dd>${row.help}</dd></div>`;
  });
  part("help").querySelector("dl").innerHTML = lines.join("");
}

/** Single keys can be turned off (WCAG 2.1.4): the box is as it was left. */
function keepChoice() {
  const box = part("keys-on");
  box.checked = choice.get() !== "off";
  box.addEventListener("change", () => choice.set(box.checked ? "on" : "off"));
}
