// The grid of photos: a listbox, one option a photo; several can be chosen.

import { stepInGrid } from "../common/grid.js";
import { counted } from "../common/words.js";
import { loadable, pictureOf } from "./api.js";
import { pressed } from "./choosing.js";

const part = (id) => document.getElementById(id);
const SIDE = 320;

const STATES = {
  new: () => "not looked at yet",
  working: () => "looking…",
  suggested: (photo) => counted(photo.sure.length, "suggestion"),
  unsure: () => "not sure",
  decided: (photo) => (photo.wanted.length ? counted(photo.wanted.length, "tag") : "no tag"),
  written: () => "written",
  failed: () => "error",
};

export const stateOf = (photo) => STATES[photo.state](photo);

/** The tags that a photo has, else those suggested. */
const tagsOf = (photo) =>
  photo.wanted.length ? photo.wanted : photo.sure.map((score) => score.tag);

export class Grid {
  #items = new Map(); // photo -> its option
  #photoOf = new WeakMap();
  #seen = new Set();

  /** sighted: called when other photos come into sight. */
  constructor(photos, selection, sighted) {
    Object.assign(this, { photos, selection });
    this.list = part("grid");
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) this.#sight(target, isIntersecting);
        sighted();
      },
      { rootMargin: "200px" },
    );
    photos.addEventListener("change", ({ detail }) => {
      if (detail) this.#describe(detail);
      else this.#arrange();
    });
    this.list.addEventListener("click", (event) => {
      const photo = this.#photoOf.get(event.target.closest("[role=option]"));
      if (photo) pressed(selection, photo, event);
    });
    selection.addEventListener("change", () => this.#arrange());
  }

  /** The photos that can be seen, in their order. */
  inSight = () => this.photos.list.filter((photo) => this.#seen.has(photo));

  /** Put the keyboard's focus on the current photo. */
  focus() {
    this.#items.get(this.photos.current)?.focus();
  }

  /** The photo that an arrow key leads to, or null when it is no such key. */
  beyond = (key) => this.#to({ key });

  /** An arrow key anywhere on the page; whether it was one. */
  walk(event) {
    const photo = this.#to(event);
    if (!photo) return false;
    this.selection.go(photo);
    this.focus();
    return true;
  }

  #to(event) {
    const { list, current } = this.photos;
    const place = list.indexOf(current);
    const step = place < 0 ? null : stepInGrid([...this.#items.values()], place, event);
    return step === null ? null : (list[place + step] ?? current);
  }

  #arrange() {
    const { list, current } = this.photos;
    const [there, targets] = [new Set(list), new Set(this.selection.targets)];
    for (const [photo, item] of this.#items) {
      if (there.has(photo)) continue;
      item.remove();
      this.watcher.unobserve(item);
      this.#items.delete(photo);
      this.#seen.delete(photo);
    }
    for (const photo of list) {
      if (!this.#items.has(photo)) this.#insert(photo);
      const item = this.#items.get(photo);
      const isCurrent = photo === current;
      item.setAttribute("aria-selected", String(targets.has(photo)));
      item.setAttribute("aria-current", String(isCurrent));
      item.tabIndex = isCurrent ? 0 : -1;
      item.classList.toggle("chosen", this.selection.has(photo));
    }
  }

  #insert(photo) {
    const item = part("desk-cell").content.firstElementChild.cloneNode(true);
    this.#items.set(photo, item);
    this.#photoOf.set(item, photo);
    item.title = photo.name;
    this.list.append(item);
    this.watcher.observe(item);
    this.#describe(photo);
  }

  /** A picture is fetched when it first comes near the window. */
  #sight(item, isSeen) {
    const photo = this.#photoOf.get(item);
    if (!isSeen) return this.#seen.delete(photo);
    this.#seen.add(photo);
    const image = item.querySelector("img");
    if (image.src || image.dataset.fetching) return;
    image.dataset.fetching = "yes";
    image.addEventListener("load", () => item.classList.add("has-picture"));
    loadable(pictureOf(photo.id, SIDE)).then(
      (address) => (image.src = address),
      () => delete image.dataset.fetching, // asked for again when it is seen again
    );
  }

  #describe(photo) {
    const item = this.#items.get(photo);
    if (!item) return;
    const [state, tags] = [stateOf(photo), tagsOf(photo).join(", ")];
    item.dataset.state = photo.state;
    item.querySelector(".cell-state").textContent = state;
    item.querySelector(".cell-tags").textContent = tags;
    item.setAttribute("aria-label", [photo.name, state, tags].filter(Boolean).join(", "));
  }
}
