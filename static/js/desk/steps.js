// Decisions go out one after the other and are kept until the server has each.

import { ApiError } from "../common/request.js";
import { sendStep, undoStep } from "./api.js";

const UNDO = "undo";

/** Tells `stored` with { said, photos } and `refused` with an ApiError. */
export class Steps extends EventTarget {
  #waiting = [];
  #sending = false;

  constructor(photos, hold) {
    super();
    Object.assign(this, { photos, hold });
  }

  get isBusy() {
    return this.#waiting.length > 0;
  }

  /** Resolves when the server has every step. */
  async settled() {
    while (this.isBusy) {
      await new Promise((resolve) => this.addEventListener("settled", resolve, { once: true }));
    }
  }

  /** step: { accept, type, reject, clear }, lists of tags; shown at once. */
  take(several, step, said) {
    for (const photo of several) {
      photo.pending.push(step);
      photo.changes += 1;
    }
    this.#waiting.push({ several, step, said });
    for (const photo of several) this.photos.change(photo);
    this.wake();
  }

  undo() {
    this.#waiting.push({ several: [], step: UNDO });
    this.wake();
  }

  async wake() {
    if (this.#sending || this.hold.active || !this.isBusy) return;
    this.#sending = true;
    const first = this.#waiting[0];
    try {
      const answer = await this.#send(first);
      this.hold.succeeded();
      this.#end(first, answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#fail(first, error);
    } finally {
      this.#sending = false;
    }
    this.wake();
  }

  /** Both may be sent twice when an answer was lost: the server counts them once. */
  #send({ several, step }) {
    if (step === UNDO) return undoStep(this.photos.nSteps);
    return sendStep({ photos: several.map((photo) => photo.id), ...step });
  }

  #end(item, answer) {
    this.#drop(item);
    this.photos.nSteps = answer.n_steps;
    const photos = this.photos.store(answer.photos);
    const changed = new Set(photos); // on the others it had nothing to say
    for (const photo of item.several) if (!changed.has(photo)) this.photos.change(photo);
    const said = answer.said ? `Undone: ${answer.said}.` : item.said;
    const detail = { said, photos, undone: item.step === UNDO };
    this.dispatchEvent(new CustomEvent("stored", { detail }));
  }

  #drop(item) {
    this.#waiting.shift();
    if (!this.isBusy) this.dispatchEvent(new Event("settled"));
    for (const photo of item.several) {
      photo.pending = photo.pending.filter((step) => step !== item.step);
    }
  }

  #fail(item, error) {
    if (error.hold) return this.hold.begin(error.hold, error.seconds);
    this.#drop(item);
    for (const photo of item.several) this.photos.change(photo);
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }
}
