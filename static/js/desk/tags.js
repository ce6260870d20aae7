// The tags of the current photo: chips to accept, reject and take back. One chip takes
// the Tab key, the arrows go on from there, Enter accepts, Backspace rejects.

import { percent } from "../common/words.js";

const part = (id) => document.getElementById(id);
const box = part("tags");
const GROUPS = { wanted: part("wanted"), open: part("open"), rejected: part("rejected") };
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export class Tags {
  #photo = null;
  #focus = null; // the tag that takes the Tab key

  /** decide(step, words): store a decision. */
  constructor(decide) {
    this.decide = decide;
    box.addEventListener("click", (event) => {
      const chip = event.target.closest("li[data-tag]");
      if (!chip || !event.target.closest("button")) return;
      if (event.target.closest(".drop-tag")) this.#reject(chip);
      else this.#accept(chip);
    });
    box.addEventListener("focusin", (event) => this.#hold(event.target.closest("li")));
  }

  show(photo) {
    const isOther = photo !== this.#photo;
    const focused = isOther ? null : this.#focusedTag();
    if (isOther) this.#focus = null;
    const kept = this.#keptScore(photo, focused);
    this.#photo = photo;
    const { marks, open, inFile } = photo;
    const scores = new Map(photo.answer?.suggestions.map((score) => [score.tag, score]));
    const written = new Set(photo.stored.written);
    const wanted = photo.wanted.map((tag) => this.#chip(tag, marks.get(tag), scores.get(tag), written));
    const offered = kept ? [...open, kept] : open;
    fill(GROUPS.wanted, wanted);
    fill(GROUPS.open, offered.map((score) => this.#chip(score.tag, "", score, written)));
    fill(GROUPS.rejected, photo.marked("rejected").map((tag) => this.#chip(tag, "rejected", scores.get(tag), written)));
    const there = inFile.filter((tag) => !marks.has(tag));
    part("in-file").hidden = !there.length;
    part("in-file-tags").textContent = there.join(", ");
    this.#rove(focused !== null);
  }

  /** Go to the first suggestion; whether there is a chip at all. */
  enter() {
    const chip = GROUPS.open.firstElementChild ?? this.#chips()[0];
    if (!chip) return false;
    this.#hold(chip);
    chip.querySelector(".take").focus();
    return true;
  }

  /** The tag with the focus stays, though another ranking would leave it out. */
  #keptScore(photo, focused) {
    if (focused === null || photo.marks.has(focused)) return null;
    if (photo.open.some((score) => score.tag === focused)) return null;
    return this.shownScores?.get(focused) ?? null;
  }

  #chip(tag, kind, score, written) {
    const item = part("desk-chip").content.firstElementChild.cloneNode(true);
    const [take, drop] = item.querySelectorAll("button");
    const isOn = kind === "accepted" || kind === "typed";
    item.dataset.tag = tag;
    item.dataset.kind = kind;
    item.classList.toggle("sure", Boolean(score?.sure));
    item.querySelector(".name").textContent = tag;
    const share = score ? percent(score.probability) : "";
    const notes = [share, kind === "typed" ? "typed" : "", isOn && written.has(tag) ? "written" : ""];
    item.querySelector(".share").textContent = notes.filter(Boolean).join(" · ");
    take.setAttribute("aria-pressed", String(isOn));
    drop.hidden = kind === "rejected";
    drop.setAttribute("aria-label", `${isOn ? "Not" : "Reject"} ${tag}`);
    drop.title = isOn ? "Not this tag" : "Reject";
    if (score) (this.shownScores ??= new Map()).set(tag, score);
    return item;
  }

  /** An arrow key among the chips; false when none has the focus. */
  go({ key, target }) {
    const chip = target.closest("li[data-tag]");
    if (!chip) return false;
    const chips = this.#chips();
    const place = { Home: 0, End: chips.length - 1 }[key] ?? chips.indexOf(chip) + STEPS[key];
    return chips[place]?.querySelector(".take").focus();
  }

  /** Reject the tag with the focus; false when none has it. */
  reject({ target }) {
    const chip = target.closest("li[data-tag]");
    return chip ? this.#reject(chip) : false;
  }

  #accept(chip) {
    const { tag, kind } = chip.dataset;
    const isOn = kind === "accepted" || kind === "typed";
    this.#moveOn(chip);
    if (isOn) this.decide({ clear: [tag] }, `${tag} taken back`);
    else this.decide({ accept: [tag] }, `${tag} accepted`);
  }

  #reject(chip) {
    const { tag, kind } = chip.dataset;
    this.#moveOn(chip);
    if (kind === "typed" || kind === "rejected") {
      this.decide({ clear: [tag] }, `${tag} taken back`);
    } else {
      this.decide({ reject: [tag] }, `${tag} rejected`);
    }
  }

  /** The chip will go to another group: the focus goes to the next of its own. */
  #moveOn(chip) {
    if (!chip.contains(document.activeElement)) return;
    const next = chip.nextElementSibling ?? chip.previousElementSibling;
    this.#focus = next?.dataset.tag ?? chip.dataset.tag;
    this.moved = true;
  }

  #chips = () => [...box.querySelectorAll("li[data-tag]")];

  #focusedTag() {
    if (!box.contains(document.activeElement)) return null;
    if (this.moved) return this.#focus;
    return document.activeElement.closest("li")?.dataset.tag ?? null;
  }

  #hold(chip) {
    if (!chip) return;
    this.#focus = chip.dataset.tag;
    for (const each of this.#chips()) each.querySelector(".take").tabIndex = each === chip ? 0 : -1;
  }

  #rove(hadFocus) {
    this.moved = false;
    const chips = this.#chips();
    const chip = chips.find((each) => each.dataset.tag === this.#focus) ?? GROUPS.open.firstElementChild ?? chips[0];
    const focus = this.#focus;
    this.#hold(chip);
    if (hadFocus) (chip?.querySelector(".take") ?? box).focus({ preventScroll: true });
    else this.#focus = focus;
  }
}

function fill(group, chips) {
  group.replaceChildren(...chips);
  group.closest(".group").hidden = !chips.length;
}
