// Asks for suggestions, a few photos at a time: the current one, those in sight,
// then the rest.

import { TaskQueue } from "../common/queue.js";
import { suggestionsOf } from "./api.js";

const waits = (photo) => photo?.asked === "no" && !photo.pending.length;

export class Asking extends TaskQueue {
  atATime = 2;

  /** inSight: () -> the photos that can be seen, in their order. */
  constructor(photos, hold, inSight) {
    super(hold);
    Object.assign(this, { photos, inSight });
  }

  /** Ask again after a failure. */
  retry(photo) {
    this.photos.change(photo, { asked: "no", error: null });
    this.wake();
  }

  /** The photo that somebody works on. */
  urgent() {
    return waits(this.photos.current) ? this.photos.current : null;
  }

  next(isFree) {
    return (
      this.inSight().find((photo) => waits(photo) && isFree(photo)) ??
      // an answer that a step made old is renewed when it is seen
      this.photos.list.find((photo) => waits(photo) && isFree(photo) && !photo.answer)
    );
  }

  async work(photo, signal) {
    const { photos } = this;
    photos.change(photo, { asked: "working" });
    const { changes } = photo;
    const answer = await suggestionsOf(photo.id, signal);
    // what the server kept before a step is not what it keeps now
    const isOld = photo.changes !== changes;
    if (!isOld) photo.store(answer.photo);
    if (!isOld && answer.photo.state === "failed") return photos.change(photo);
    photos.change(photo, { answer, asked: isOld ? "no" : "done", error: null });
  }

  interrupted(photo) {
    this.photos.change(photo, { asked: "no" });
  }

  refused(photo, error) {
    this.photos.change(photo, { asked: "failed", error });
  }
}
