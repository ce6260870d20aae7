// Photos that are dropped or chosen are copied to the desk, one request each.

import { checkSize } from "../common/intake.js";
import { TaskQueue } from "../common/queue.js";
import { counted } from "../common/words.js";
import { sendPhoto } from "./api.js";

/** Tells `added` with photos, `moved` with { done, total }, `refused` with texts. */
export class Intake extends TaskQueue {
  atATime = 2;
  #total = 0;
  #refused = [];

  constructor(hold, maxBytes) {
    super(hold);
    this.maxBytes = maxBytes;
  }

  take(files) {
    if (!this.isBusy) [this.#total, this.#refused] = [0, []];
    this.#total += files.length;
    this.add(...files);
    this.#tellMoved();
  }

  async work(file) {
    checkSize(file, this.maxBytes);
    const { photos } = await sendPhoto(file);
    this.dispatchEvent(new CustomEvent("added", { detail: photos }));
  }

  refused(file, error) {
    this.#refused.push(`${file.name}: ${error.message}`);
    this.dispatchEvent(new CustomEvent("refused", { detail: this.#refused }));
  }

  ended() {
    this.#tellMoved();
  }

  #tellMoved() {
    const done = this.#total - this.tasks.length;
    const detail = { done, total: this.#total, refused: this.#refused.length };
    this.dispatchEvent(new CustomEvent("moved", { detail }));
  }
}

export function intakeWords({ done, total, refused }) {
  if (done < total) return `Copying photos: ${done} of ${total}.`;
  return refused ? `${counted(total - refused, "photo")} added, ${refused} refused.` : `${counted(total, "photo")} added.`;
}
