// Sends the waiting photos, the one on show first.

import { checkSize } from "../common/intake.js";
import { TaskQueue } from "../common/queue.js";
import { ApiError } from "../common/request.js";
import { suggest } from "./api.js";

export class Sending extends TaskQueue {
  atATime = 2;

  /** query: (with figures?) -> what to ask for; maxBytes: what the server takes. */
  constructor(photos, hold, { query, maxBytes }) {
    super(hold);
    Object.assign(this, { photos, query, maxBytes });
    photos.addEventListener("remove", ({ detail: photo }) => this.cancel(photo));
  }

  retry(photo) {
    this.photos.change(photo, { state: "waiting", error: null });
    this.wake();
  }

  next(isFree) {
    const { list, selected } = this.photos;
    const waits = (photo) => photo?.state === "waiting" && isFree(photo);
    return waits(selected) ? selected : list.find(waits);
  }

  async work(photo, signal) {
    const { photos } = this;
    const query = this.query(photo === photos.selected);
    photos.change(photo, { state: "sending", sent: 0 });
    checkSize(photo.file, this.maxBytes);
    await photo.file.slice(0, 1).arrayBuffer().catch(() => {
      throw new ApiError("The file cannot be read.", { retry: true }); // a folder
    });
    const answer = await suggest(photo.file, query, {
      signal,
      onProgress: (sent) =>
        photos.change(photo, { sent, state: sent < 1 ? "sending" : "looking" }),
    });
    photos.answer(photo, answer, query);
  }

  interrupted(photo) {
    this.photos.change(photo, { state: "waiting" });
  }

  refused(photo, error) {
    this.photos.change(photo, { state: "failed", error });
  }
}
