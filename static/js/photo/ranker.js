// Ranks the photos again, by the latents of their first answers, when the controls
// say otherwise: the photo on show first, one at a time.

import { ApiError, isCancelled } from "../common/request.js";
import { rank } from "./api.js";

/** Tells `ranked` with the photo, `failed` with the error. */
export class Ranker extends EventTarget {
  #run = new AbortController();

  /** query: (with figures?) -> what to ask for; queue: where to send a photo anew. */
  constructor(photos, hold, queue, { query }) {
    super();
    Object.assign(this, { photos, hold, queue, query });
  }

  /** Bring every answer up to what is asked for now. */
  async refresh() {
    this.#run.abort();
    const { signal } = (this.#run = new AbortController());
    while (!signal.aborted && !this.hold.active) {
      const photo = this.#stale();
      if (!photo || !(await this.#rank(photo, signal))) return;
    }
  }

  #stale() {
    const { list, selected } = this.photos;
    if (selected && this.#isStale(selected)) return selected;
    return list.find((photo) => this.#isStale(photo));
  }

  #isStale(photo) {
    if (photo.state !== "done" || !photo.latent) return false;
    const plain = this.query(false);
    const full = this.query(true);
    return photo.asked !== full && (photo === this.photos.selected || photo.asked !== plain);
  }

  /** Returns whether to go on. */
  async #rank(photo, signal) {
    const query = this.query(photo === this.photos.selected);
    try {
      const answer = await rank(photo, query, { signal });
      if (signal.aborted) return false;
      this.hold.succeeded();
      this.photos.answer(photo, answer, query);
      this.dispatchEvent(new CustomEvent("ranked", { detail: photo }));
      return true;
    } catch (error) {
      if (isCancelled(error)) return false;
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "bad_latent") {
        this.queue.retry(photo); // the model has changed: the photo must be seen anew
        return true;
      }
      if (error.hold) this.hold.begin(error.hold, error.seconds);
      else this.dispatchEvent(new CustomEvent("failed", { detail: error }));
      return false;
    }
  }
}
