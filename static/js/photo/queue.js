// Sends the waiting photos, a few at a time.

import { ApiError, isCancelled } from "../common/request.js";
import { mebibytes } from "../common/words.js";
import { suggest } from "./api.js";

const AT_A_TIME = 2;

export class Queue {
  #running = 0;

  /** query: () -> what to ask for; maxBytes: what the server takes. */
  constructor(photos, hold, { query, maxBytes }) {
    Object.assign(this, { photos, hold, query, maxBytes });
  }

  /** Send what waits, the photo on show first. */
  wake() {
    while (this.#running < AT_A_TIME && !this.hold.active) {
      const photo = this.#next();
      if (!photo) return;
      this.#running += 1;
      this.#send(photo).finally(() => {
        this.#running -= 1;
        this.wake();
      });
    }
  }

  retry(photo) {
    this.photos.change(photo, { state: "waiting", error: null });
    this.wake();
  }

  #next() {
    const { list, selected } = this.photos;
    if (selected?.state === "waiting") return selected;
    return list.find((photo) => photo.state === "waiting");
  }

  async #send(photo) {
    const { photos } = this;
    const query = this.query(photo === photos.selected);
    const controller = new AbortController();
    photos.change(photo, { state: "sending", sent: 0, controller });
    try {
      await this.#check(photo);
      const answer = await suggest(photo.file, query, {
        signal: controller.signal,
        onProgress: (sent) =>
          photos.change(photo, { sent, state: sent < 1 ? "sending" : "looking" }),
      });
      this.hold.succeeded();
      photos.answer(photo, answer, query);
    } catch (error) {
      if (isCancelled(error)) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.hold) {
        photos.change(photo, { state: "waiting" });
        this.hold.begin(error.hold, error.seconds);
      } else {
        photos.change(photo, { state: "failed", error });
      }
    }
  }

  /** Refuse what need not be sent: too large, or not to be read (a folder). */
  async #check({ file }) {
    if (file.size > this.maxBytes) {
      const [has, most] = [mebibytes(file.size), Math.round(mebibytes(this.maxBytes))];
      throw new ApiError(
        `The photo has ${has} MiB; at most ${most} MiB are taken. Save it smaller and retry.`,
      );
    }
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      throw new ApiError("The file cannot be read.", { retry: true });
    }
  }
}
