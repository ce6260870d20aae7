// A tour of the page: offered the first time, and again from the foot of the page.

import { kept } from "../common/storage.js";

const answered = kept("lablr-tour", "localStorage");
const GAP = 16; // pixels between a part of the page and what is said about it
const MARGIN = 16;

const part = (id) => document.getElementById(id);
const steps = [...part("tour-steps").content.querySelectorAll("section")];

let dialog = null;
let at = 0;
let marked = null; // the part of the page the tour points at
let opener = null;
let there = false; // whether that part is what the step speaks of
let trying = false; // a sample photo is on its way

const visible = (element) => element.checkVisibility() && element.getClientRects().length > 0;
const find = (selector) => [...document.querySelectorAll(selector)].find(visible);

/** The first sample photo of the page, while there is no photo. */
const sample = () => find("#samples [data-sample]");

function show(index) {
  at = index;
  const step = steps[at];
  const target = find(step.dataset.at);
  there = Boolean(target);
  if (there) trying = false;
  close();
  dialog = part("tour-step").content.firstElementChild.cloneNode(true);
  dialog.querySelector(".tour-count").textContent = `${at + 1} of ${steps.length}`;
  dialog.querySelector("h2").textContent = step.dataset.title;
  dialog.querySelector("#tour-text").append(...words(step));
  deed("next").textContent = at === steps.length - 1 ? "Done" : "Next";
  deed("back").hidden = at === 0;
  deed("sample").hidden = there || trying || !sample();
  deed("end").hidden = at === steps.length - 1;
  document.body.append(dialog);
  if (trying) dialog.querySelector(".tour-wait").textContent = "Looking at the sample photo…";
  mark(target ?? find("#samples ul, #preview, #drop label"));
  place();
  reveal();
  deed("next").focus({ preventScroll: true });
}

const deed = (name) => dialog.querySelector(`[data-tour=${name}]`);

/** What a step says: of a part that is there, or of one that will be. */
function words(step) {
  const later = there ? null : step.querySelector(".later");
  const said = later ? [later] : step.querySelectorAll(":scope > :not(.later)");
  return [...said].map((paragraph) => paragraph.cloneNode(true));
}

function mark(element) {
  marked = element ?? null;
  marked?.classList.add("tour-part");
}

function close() {
  marked?.classList.remove("tour-part");
  marked = null;
  dialog?.remove();
  dialog = null;
}

/** Beside its part: under it where both fit the window, else over it. */
function place() {
  if (!dialog) return;
  const { width, height } = dialog.getBoundingClientRect();
  const box = (marked ?? part("main")).getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const fits = box.height + GAP + height + 2 * MARGIN <= innerHeight;
  const over = box.top + scrollY - GAP - height;
  const above = !fits && over >= 0;
  const top = above ? over : box.bottom + scrollY + GAP;
  const middle = box.left + box.width / 2;
  const left = Math.max(MARGIN, Math.min(middle - width / 2, room - width - MARGIN));
  const tip = Math.max(20, Math.min(middle - left, width - 20));
  dialog.classList.toggle("above", above);
  dialog.classList.toggle("below", !above);
  dialog.style.left = `${left}px`;
  dialog.style.top = `${top}px`;
  dialog.style.setProperty("--tip", `${tip}px`);
}

/** Scroll so that the words and as much as fits of their part are in the window. */
function reveal() {
  const words = dialog.getBoundingClientRect();
  const box = (marked ?? dialog).getBoundingClientRect();
  const top = Math.min(words.top, box.top) - MARGIN;
  const bottom = Math.max(words.bottom, box.bottom) + MARGIN;
  if (top >= 0 && bottom <= innerHeight) return;
  const tall = bottom - top > innerHeight;
  const wanted = tall && words.top > box.top ? words.bottom + MARGIN - innerHeight : top;
  scrollTo({ top: scrollY + wanted });
}

function begin(button) {
  opener = button;
  trying = false;
  decide();
  show(0);
}

function end() {
  close();
  if (opener && visible(opener)) opener.focus();
  else part("main").focus({ preventScroll: true });
}

/** The offer is answered: it does not come again. */
function decide() {
  answered.set("seen");
  part("tour-offer").hidden = true;
}

/** Go on when what the step speaks of comes or goes; else keep beside it. */
function follow() {
  if (!dialog) return;
  const target = find(steps[at].dataset.at);
  const failed = trying && part("note").textContent !== "";
  if (failed) trying = false;
  const moved = !marked || !visible(marked) || (target && target !== marked);
  if (Boolean(target) === there && !moved && !failed) return place();
  const focused = document.activeElement;
  const mine = focused === document.body || dialog.contains(focused);
  show(at);
  if (!mine && focused.isConnected) focused.focus({ preventScroll: true });
}

const deeds = {
  next: () => (at === steps.length - 1 ? end() : show(at + 1)),
  back: () => show(at - 1),
  end,
  sample() {
    const button = sample();
    trying = Boolean(button);
    button?.click();
    show(at);
  },
};

/** Offer the tour unless it was answered before, and take whoever asks through it. */
export function listenToTour() {
  document.addEventListener("click", ({ target }) => {
    const name = dialog?.contains(target) && target.closest("[data-tour]")?.dataset.tour;
    if (name) deeds[name]();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !dialog || event.defaultPrevented) return;
    const focused = document.activeElement;
    if (focused === document.body || dialog.contains(focused)) end();
  });
  new MutationObserver(follow).observe(part("photo-page"), {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["hidden", "src"],
  });
  new ResizeObserver(place).observe(document.body);
  addEventListener("resize", place);

  part("tour-again").addEventListener("click", () => begin(part("tour-again")));
  part("tour-take").addEventListener("click", () => begin(part("tour-take")));
  part("tour-no").addEventListener("click", () => {
    decide();
    part("tour-again").focus({ preventScroll: true });
  });
  part("tour-offer").hidden = answered.get() !== null;
}
