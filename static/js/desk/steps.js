// Decisions go out one after the other and are kept until the server has each.

import { TaskQueue } from "../common/queue.js";
import { sendStep, undoStep } from "./api.js";

const UNDO = "undo";

/** Tells `stored` with { said, photos } and `refused` with an ApiError. */
export class Steps extends TaskQueue {
  constructor(photos, hold) {
    super(hold);
    this.photos = photos;
  }

  /** Resolves when the server has every step. */
  async settled() {
    while (this.isBusy) {
      await new Promise((resolve) => this.addEventListener("settled", resolve, { once: true }));
    }
  }

  ended() {
    if (!this.isBusy) this.dispatchEvent(new Event("settled"));
  }

  /** step: { accept, type, reject, clear }, lists of tags; shown at once. */
  take(several, step, said) {
    for (const photo of several) {
      photo.pending.push(step);
      photo.changes += 1;
    }
    for (const photo of several) this.photos.change(photo);
    this.add({ several, step, said });
  }

  undo() {
    this.add({ several: [], step: UNDO });
  }

  /** May be done twice when an answer was lost: the server counts it once. */
  async work(item) {
    const { photos } = this;
    const { several, step } = item;
    const isUndo = step === UNDO;
    const ids = several.map((photo) => photo.id);
    const answer = await (isUndo ? undoStep(photos.nSteps) : sendStep({ photos: ids, ...step }));
    this.#forget(item);
    photos.nSteps = answer.n_steps;
    const changed = photos.store(answer.photos);
    const told = new Set(changed); // of the others the answer says nothing
    for (const photo of several) if (!told.has(photo)) photos.change(photo);
    const said = isUndo ? `Undone: ${answer.said}.` : item.said;
    const detail = { said, photos: changed, undone: isUndo };
    this.dispatchEvent(new CustomEvent("stored", { detail }));
  }

  refused(item, error) {
    this.#forget(item);
    for (const photo of item.several) this.photos.change(photo);
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  /** It is no longer on its way. */
  #forget({ several, step }) {
    for (const photo of several) photo.pending = photo.pending.filter((each) => each !== step);
  }
}
