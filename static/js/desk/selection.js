// The photos that are chosen together: what is decided goes to all of them at once.

import { counted } from "../common/words.js";

/** Tells `change` when other photos are chosen, or choosing is turned on or off. */
export class Selection extends EventTarget {
  isOn = false; // walking on and pressing let nothing go, and a press chooses
  #chosen = new Set();
  #anchor = null; // where the range of the Shift key begins
  #before = new Set(); // what was chosen without that range

  constructor(photos) {
    super();
    this.photos = photos;
    photos.addEventListener("change", ({ detail }) => !detail && this.#letGoOfGone());
  }

  get size() {
    return this.#chosen.size;
  }

  /** Whether there is anything to let go. */
  get isAny() {
    return this.isOn || this.size > 0;
  }

  has = (photo) => this.#chosen.has(photo);

  /** What a decision is for, in the grid's order: the chosen photos, else the current. */
  get targets() {
    const { list, current } = this.photos;
    if (this.size) return list.filter(this.has);
    return current ? [current] : [];
  }

  /** Which photos, where it is not the one on show alone. */
  get words() {
    const { targets } = this;
    if (targets.length > 1) return ` on ${counted(targets.length, "photo")}`;
    return targets[0] === this.photos.current ? "" : ` on ${targets[0].name}`;
  }

  /** Go to a photo; what was chosen is let go, unless choosing is on. */
  go(photo) {
    if (!photo) return;
    const kept = this.isOn ? this.#chosen : new Set();
    this.photos.select(photo);
    this.#choose(kept, photo);
  }

  /** Choose a photo, or let it go. */
  toggle(photo) {
    const chosen = new Set(this.#chosen);
    if (!chosen.delete(photo)) chosen.add(photo);
    this.photos.select(photo);
    this.#choose(chosen, photo);
  }

  /** Choose all from where the range began to a photo. */
  extend(photo) {
    if (!photo) return;
    const { list } = this.photos;
    const anchor = this.#anchor ?? this.photos.current;
    const [from, to] = [list.indexOf(anchor), list.indexOf(photo)].sort((a, b) => a - b);
    const chosen = new Set([...this.#before, ...list.slice(from, to + 1)]);
    this.photos.select(photo);
    this.#choose(chosen, anchor, this.#before);
  }

  all() {
    this.#choose(new Set(this.photos.list), this.photos.current);
  }

  /** Let every press and the Space key choose from now on. */
  begin() {
    this.isOn = true;
    this.#tell();
  }

  letGo() {
    this.isOn = false;
    this.#choose(new Set(), null);
    this.#tell();
  }

  #choose(chosen, anchor, before = chosen) {
    const isSame = chosen.size === this.size && [...chosen].every(this.has);
    [this.#chosen, this.#anchor, this.#before] = [chosen, anchor, before];
    if (!isSame) this.#tell();
  }

  #letGoOfGone() {
    if (!this.#anchor && !this.size) return;
    const there = new Set(this.photos.list);
    const kept = (several) => new Set([...several].filter((photo) => there.has(photo)));
    const anchor = there.has(this.#anchor) ? this.#anchor : null;
    this.#choose(kept(this.#chosen), anchor, kept(this.#before));
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
