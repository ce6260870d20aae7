// Decisions go out one after the other and are kept until the server has each.

import { ApiError } from "./api.js";
import { listPhotos, sendStep, undoStep } from "./desk_api.js";

const UNDO = "undo";
const LOST = "The server was not reached, so it is not known whether that was undone. Look, and undo again.";

/** Tells `stored` with { said, photos } and `refused` with an ApiError. */
export class Steps extends EventTarget {
  #waiting = [];
  #sending = false;
  #doubtful = false; // the first one was sent, and no answer came

  constructor(photos, hold) {
    super();
    Object.assign(this, { photos, hold });
  }

  get isBusy() {
    return this.#waiting.length > 0;
  }

  /** step: { accept, type, reject, clear }, lists of tags; shown at once. */
  take(several, step, said) {
    for (const photo of several) photo.pending.push(step);
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

  #send({ several, step }) {
    if (step === UNDO) return undoStep();
    const send = () => sendStep({ photos: several.map((photo) => photo.id), ...step });
    return this.#doubtful ? this.#unlessThere(several, step, send) : send();
  }

  /** What was sent may have been stored although its answer was lost. */
  async #unlessThere(several, step, send) {
    const { n_steps, photos } = await listPhotos();
    const byId = new Map(photos.map((photo) => [photo.id, photo]));
    const stored = several.map((photo) => byId.get(photo.id));
    const isThere = stored.every(
      (one) => one &&
        [["accept", "accepted"], ["type", "typed"], ["reject", "rejected"]].every(
          ([deed, kind]) => (step[deed] ?? []).every((tag) => one[kind].includes(tag)),
        ) &&
        (step.clear ?? []).every(
          (tag) => ![...one.accepted, ...one.typed, ...one.rejected].includes(tag),
        ),
    );
    return isThere ? { n_steps, photos: stored } : send();
  }

  #end(item, answer) {
    this.#drop(item);
    this.photos.nSteps = answer.n_steps;
    const photos = this.photos.store(answer.photos);
    const said = answer.said ? `Undone: ${answer.said}.` : item.said;
    const detail = { said, photos, undone: item.step === UNDO };
    this.dispatchEvent(new CustomEvent("stored", { detail }));
  }

  #drop(item) {
    this.#waiting.shift();
    this.#doubtful = false;
    for (const photo of item.several) {
      photo.pending = photo.pending.filter((step) => step !== item.step);
    }
  }

  #fail(item, error) {
    if (error.hold) this.hold.begin(error.hold, error.seconds);
    const lost = ["lost", "offline"].includes(error.hold);
    // an undo that is sent twice undoes two steps
    if (error.hold && !(lost && item.step === UNDO)) {
      this.#doubtful = lost;
      return;
    }
    this.#drop(item);
    for (const photo of item.several) this.photos.change(photo);
    const detail = lost ? new ApiError(LOST, { code: "lost" }) : error;
    this.dispatchEvent(new CustomEvent("refused", { detail }));
  }
}
