// Asks for suggestions, a few photos at a time: the current one, those in sight,
// then the rest.

import { ApiError, isCancelled } from "../common/request.js";
import { suggestionsOf } from "./api.js";

const AT_A_TIME = 2;

export class Asking {
  #running = new Map(); // photo -> what aborts its request

  /** inSight: () -> the photos that can be seen, in their order. */
  constructor(photos, hold, inSight) {
    Object.assign(this, { photos, hold, inSight });
  }

  wake() {
    const { current } = this.photos;
    // the photo that somebody works on never waits for others
    if (current?.asked === "no" && !this.#running.has(current)) this.#ask(current);
    while (this.#running.size < AT_A_TIME) {
      const photo = this.#next();
      if (!photo || !this.#ask(photo)) return;
    }
  }

  /** Ask again after a failure. */
  retry(photo) {
    this.photos.change(photo, { asked: "no", error: null });
    this.wake();
  }

  #next() {
    const waits = (photo) => photo.asked === "no" && !this.#running.has(photo);
    return (
      this.inSight().find(waits) ??
      // an answer that a step made old is renewed when it is seen
      this.photos.list.find((photo) => waits(photo) && !photo.answer)
    );
  }

  #ask(photo) {
    if (this.hold.active || photo.pending.length) return false;
    const controller = new AbortController();
    this.#running.set(photo, controller);
    this.photos.change(photo, { asked: "working" });
    this.#answer(photo, controller.signal).finally(() => {
      this.#running.delete(photo);
      this.wake();
    });
    return true;
  }

  async #answer(photo, signal) {
    const { photos, hold } = this;
    const { changes } = photo;
    try {
      const answer = await suggestionsOf(photo.id, signal);
      hold.succeeded();
      // what the server kept before a step is not what it keeps now
      const isOld = photo.changes !== changes;
      if (!isOld) photo.store(answer.photo);
      if (!isOld && answer.photo.state === "failed") return photos.change(photo);
      photos.change(photo, { answer, asked: isOld ? "no" : "done", error: null });
    } catch (error) {
      if (isCancelled(error)) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.hold) {
        photos.change(photo, { asked: "no" });
        hold.begin(error.hold, error.seconds);
      } else {
        photos.change(photo, { asked: "failed", error });
      }
    }
  }
}
