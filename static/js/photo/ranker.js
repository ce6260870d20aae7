// Ranks the photos again, by the latents of their first answers, when the controls
// say otherwise: the photo on show first.

import { TaskQueue } from "../common/queue.js";
import { rank } from "./api.js";

/** Tells `ranked` with the photo, `failed` with the error. */
export class Ranker extends TaskQueue {
  #isStopped = false; // what one photo failed on, the others would

  /** query: (with figures?) -> what to ask for; sending: where a photo is sent anew. */
  constructor(photos, hold, sending, { query }) {
    super(hold);
    Object.assign(this, { photos, sending, query });
  }

  /** Bring every answer up to what is asked for now. */
  refresh() {
    this.#isStopped = false;
    this.cancel();
    this.wake();
  }

  next() {
    if (this.#isStopped) return null;
    const { list, selected } = this.photos;
    return [selected, ...list].find((photo) => this.#isStale(photo));
  }

  #isStale(photo) {
    if (photo?.state !== "done" || !photo.latent) return false;
    const plain = this.query(false);
    const full = this.query(true);
    return photo.asked !== full && (photo === this.photos.selected || photo.asked !== plain);
  }

  async work(photo, signal) {
    const query = this.query(photo === this.photos.selected);
    const answer = await rank(photo, query, signal);
    if (signal.aborted) return;
    this.photos.answer(photo, answer, query);
    this.dispatchEvent(new CustomEvent("ranked", { detail: photo }));
  }

  refused(photo, error) {
    if (error.code === "bad_latent") return this.sending.retry(photo); // the model has changed
    this.#isStopped = true;
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }
}
