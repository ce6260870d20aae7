// Photos that are dropped or chosen are copied to the desk, one request each.

import { ApiError } from "../common/request.js";
import { counted, mebibytes } from "../common/words.js";
import { sendPhoto } from "./api.js";

const AT_A_TIME = 2;

/** Tells `added` with photos, `moved` with { done, total }, `refused` with texts. */
export class Intake extends EventTarget {
  #waiting = [];
  #running = 0;
  #total = 0;
  #refused = [];

  constructor(hold, maxBytes) {
    super();
    Object.assign(this, { hold, maxBytes });
  }

  take(files) {
    if (!this.isBusy) [this.#total, this.#refused] = [0, []];
    this.#waiting.push(...files);
    this.#total += files.length;
    this.#tellMoved();
    this.wake();
  }

  get isBusy() {
    return this.#running + this.#waiting.length > 0;
  }

  wake() {
    while (this.#running < AT_A_TIME && this.#waiting.length && !this.hold.active) {
      this.#running += 1;
      this.#send(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#tellMoved();
        this.wake();
      });
    }
  }

  async #send(file) {
    try {
      this.#check(file);
      const { photos } = await sendPhoto(file);
      this.hold.succeeded();
      this.dispatchEvent(new CustomEvent("added", { detail: photos }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.hold) {
        this.#waiting.unshift(file);
        this.hold.begin(error.hold, error.seconds);
      } else {
        this.#refused.push(`${file.name}: ${error.message}`);
        this.dispatchEvent(new CustomEvent("refused", { detail: this.#refused }));
      }
    }
  }

  #check({ size }) {
    if (size <= this.maxBytes) return;
    const [has, most] = [mebibytes(size), Math.round(mebibytes(this.maxBytes))];
    throw new ApiError(
      `The photo has ${has} MiB; at most ${most} MiB are taken. Save it smaller and retry.`,
    );
  }

  #tellMoved() {
    const done = this.#total - this.#waiting.length - this.#running;
    const detail = { done, total: this.#total, refused: this.#refused.length };
    this.dispatchEvent(new CustomEvent("moved", { detail }));
  }
}

export function intakeWords({ done, total, refused }) {
  if (done < total) return `Copying photos: ${done} of ${total}.`;
  return refused ? `${counted(total - refused, "photo")} added, ${refused} refused.` : `${counted(total, "photo")} added.`;
}
