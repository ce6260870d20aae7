// The photos of the desk: what the server keeps of each, what is on its way to it,
// and what the model said.

const KINDS = ["accepted", "typed", "rejected"];
const DEEDS = { accept: "accepted", type: "typed", reject: "rejected" };

class Photo {
  asked = "no"; // no, working, done, failed: its suggestions
  answer = null; // the server's, with suggestions
  error = null; // { message, retry } when it cannot be looked at
  changes = 0; // steps that were taken or stored: what was asked before is old
  pending = []; // steps that the server has not acknowledged yet

  constructor(stored) {
    Object.assign(this, { id: stored.id, name: stored.name, stored });
    if (stored.state === "failed") this.#fail(stored.error);
  }

  store(stored) {
    this.stored = stored;
    if (stored.state === "failed" && !this.answer) this.#fail(stored.error);
  }

  #fail(error) {
    this.asked = "failed";
    this.error = { message: error?.message ?? "It cannot be read.", retry: true };
  }

  /** tag -> accepted, typed or rejected; the steps on their way count already. */
  get marks() {
    const marks = new Map(
      KINDS.flatMap((kind) => this.stored[kind].map((tag) => [tag, kind])),
    );
    for (const step of this.pending) {
      for (const tag of step.clear ?? []) marks.delete(tag);
      for (const [deed, kind] of Object.entries(DEEDS)) {
        for (const tag of step[deed] ?? []) marks.set(tag, kind);
      }
    }
    return marks;
  }

  marked(...kinds) {
    return [...this.marks].filter(([, kind]) => kinds.includes(kind)).map(([tag]) => tag);
  }

  /** What goes into the file. */
  get wanted() {
    return this.marked("accepted", "typed");
  }

  get inFile() {
    return this.answer?.in_file ?? [];
  }

  /** Suggestions that nobody has said anything about and that the file lacks. */
  get open() {
    const { marks } = this;
    const there = new Set(this.inFile.map((tag) => tag.toLowerCase()));
    return (this.answer?.suggestions ?? []).filter(
      ({ tag }) => !marks.has(tag) && !there.has(tag.toLowerCase()),
    );
  }

  get sure() {
    return this.open.filter((score) => score.sure);
  }

  /** new, working, suggested, unsure, decided, written, failed. */
  get state() {
    const { wanted } = this;
    if (wanted.length) {
      const written = new Set(this.stored.written);
      return wanted.every((tag) => written.has(tag)) ? "written" : "decided";
    }
    if (this.marks.size && !this.sure.length) return "decided";
    if (this.asked === "failed") return "failed";
    if (!this.answer) return this.asked === "working" ? "working" : "new";
    return this.sure.length ? "suggested" : "unsure";
  }

  get isOpen() {
    return !["decided", "written", "failed"].includes(this.state);
  }
}

/** Tells every change: `change` with the photo, or null for the list or the current. */
export class Photos extends EventTarget {
  list = [];
  current = null;
  folder = "";
  nSteps = 0;
  #byId = new Map();

  /** Take the server's list; what is known of its photos stays. */
  take({ folder, n_steps: nSteps, photos }) {
    Object.assign(this, { folder, nSteps });
    const others = photos.filter((stored) => this.#isOther(stored));
    this.list = photos.map((stored) => this.#keep(stored));
    this.#byId = new Map(this.list.map((photo) => [photo.id, photo]));
    if (!this.list.includes(this.current)) this.current = this.list[0] ?? null;
    this.#tell(null);
    this.store(others);
  }

  /** Photos that came in; those not known are put at the end. */
  add(several) {
    const added = several.map((stored) => this.#keep(stored));
    for (const photo of added) {
      if (!this.#byId.has(photo.id)) this.list.push(photo);
      this.#byId.set(photo.id, photo);
    }
    this.current ??= this.list[0] ?? null;
    this.#tell(null);
    return added;
  }

  /** What a step changed; what was suggested before it is to be asked again. */
  store(several) {
    const changed = several.map((stored) => this.#keep(stored));
    for (const photo of changed) {
      photo.changes += 1;
      if (photo.asked === "done") photo.asked = "no";
      this.#tell(photo);
    }
    return changed;
  }

  select(photo) {
    if (!photo || photo === this.current) return;
    this.current = photo;
    this.#tell(null);
  }

  change(photo, values = {}) {
    Object.assign(photo, values);
    this.#tell(photo);
  }

  get = (id) => this.#byId.get(id);

  /** The next photo that is not decided, forwards (1) or backwards (-1), or null. */
  nextOpen(direction) {
    const { length } = this.list;
    const start = this.list.indexOf(this.current);
    for (let step = 1; step < length; step += 1) {
      const photo = this.list[(start + direction * step + length * step) % length];
      if (photo.isOpen) return photo;
    }
    return null;
  }

  /** Whether the server keeps something else of a photo than is known here. */
  #isOther(stored) {
    const known = this.#byId.get(stored.id);
    return known && JSON.stringify(known.stored) !== JSON.stringify(stored);
  }

  #keep(stored) {
    const known = this.#byId.get(stored.id);
    if (!known) return new Photo(stored);
    known.store(stored);
    return known;
  }

  #tell(photo) {
    this.dispatchEvent(new CustomEvent("change", { detail: photo }));
  }
}
