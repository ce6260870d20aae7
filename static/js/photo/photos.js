// The photos of the page, what is known of each, and which one is on show.

import { labelOf } from "./words.js";

export const MAX_PHOTOS = 100;

let count = 0;

class Photo {
  id = `photo-${(count += 1)}`;
  state = "waiting"; // waiting, sending, looking, done, failed
  sent = 0; // the share of its bytes that the server has
  error = null; // { message, retry } when failed
  answer = null; // the API's object
  asked = ""; // the query that the answer answers
  choices = new Map(); // tag -> whether a person wants it
  own = ""; // tags that it has already, as they were typed
  known = new Map(); // tag -> its score, of every answer so far
  reasons = new Map(); // tag -> why, for those that were asked about

  constructor(file, credit) {
    this.file = file;
    this.name = file.name || "pasted photo";
    this.credit = credit;
    this.url = URL.createObjectURL(file);
  }

  /** The scores that reach the threshold. */
  get good() {
    return (this.answer?.tags ?? []).filter((score) => this.isGood(score));
  }

  /** What is offered: the answer's tags, and accepted ones that it left out. */
  get offered() {
    const scores = this.answer?.tags ?? [];
    const listed = new Set(scores.map((score) => score.tag));
    const kept = [...this.choices]
      .filter(([tag, wanted]) => wanted && !listed.has(tag) && this.known.has(tag))
      .map(([tag]) => this.known.get(tag));
    return [...scores, ...kept];
  }

  /** What to copy, in its order: labels, once each, since two tags may share one. */
  get accepted() {
    const labels = this.offered.filter((score) => this.isAccepted(score)).map(labelOf);
    return [...new Set(labels)];
  }

  isGood(score) {
    return score.probability >= this.answer.threshold;
  }

  /** What a person said about a tag goes before what the threshold says. */
  isAccepted(score) {
    return this.choices.get(score.tag) ?? this.isGood(score);
  }
}

/** Tells `change` with the photo, or null for the list itself, and `remove` with the photo. */
export class Photos extends EventTarget {
  list = [];
  selected = null;

  /** Take files as photos; returns those taken, at most MAX_PHOTOS on a page. */
  add(files, credit = null) {
    const room = Math.max(0, MAX_PHOTOS - this.list.length);
    const added = [...files].slice(0, room).map((file) => new Photo(file, credit));
    if (!added.length) return added;
    this.list.push(...added);
    this.selected = added[0];
    this.#tell(null);
    return added;
  }

  /** Forget a photo; its neighbour takes its place. */
  remove(photo) {
    const place = this.list.indexOf(photo);
    if (place < 0) return;
    this.list.splice(place, 1);
    URL.revokeObjectURL(photo.url);
    this.dispatchEvent(new CustomEvent("remove", { detail: photo }));
    if (this.selected === photo) {
      this.selected = this.list[Math.min(place, this.list.length - 1)] ?? null;
    }
    this.#tell(null);
  }

  select(photo) {
    if (this.selected === photo) return;
    this.selected = photo;
    this.#tell(null);
  }

  change(photo, values) {
    Object.assign(photo, values);
    if (this.list.includes(photo)) this.#tell(photo);
  }

  /** Put in an answer of the API and what had been asked for. */
  answer(photo, answer, asked) {
    // a ranking without a map keeps the latent of the first answer
    photo.latent = answer.latent ?? photo.latent;
    photo.features = answer.features ?? photo.features;
    // a tag that this answer leaves out is not known by its label in another language
    if (answer.language !== photo.answer?.language) {
      for (const score of photo.known.values()) delete score.label;
    }
    for (const score of answer.tags) photo.known.set(score.tag, score);
    this.change(photo, { state: "done", error: null, answer, asked });
  }

  #tell(photo) {
    this.dispatchEvent(new CustomEvent("change", { detail: photo }));
  }
}
