// The thumbnails: a listbox, one option a photo, shown when there are two or more.

import { counted } from "../common/words.js";

const part = (id) => document.getElementById(id);

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/** hold: what the waiting photos wait for, said on each of them. */
export function listenToStrip(photos, hold) {
  const list = part("thumbnails");
  const items = new Map(); // photo -> its option
  const photoOf = (event) => {
    const item = event.target.closest("[role=option]");
    return photos.list.find((photo) => items.get(photo) === item);
  };

  photos.addEventListener("change", ({ detail }) => {
    if (detail) describe(items.get(detail), detail, hold);
    else arrange();
  });
  hold.addEventListener("change", () => {
    for (const [photo, item] of items) sayState(item, photo, hold);
  });

  function arrange() {
    for (const [photo, item] of items) {
      if (!photos.list.includes(photo)) {
        item.remove();
        items.delete(photo);
      }
    }
    for (const photo of photos.list) {
      if (!items.has(photo)) {
        items.set(photo, option(photo));
        list.append(items.get(photo));
      }
      const item = items.get(photo);
      const chosen = photo === photos.selected;
      item.setAttribute("aria-selected", String(chosen));
      item.tabIndex = chosen ? 0 : -1;
      describe(item, photo, hold);
    }
    part("strip").hidden = photos.list.length < 2;
    part("strip-count").textContent = counted(photos.list.length, "photo");
    bringIntoView(list, items.get(photos.selected));
  }

  list.addEventListener("click", (event) => {
    const photo = photoOf(event);
    if (!photo) return;
    if (event.target.closest(".remove")) photos.remove(photo);
    else photos.select(photo);
  });

  list.addEventListener("keydown", (event) => {
    const photo = photoOf(event);
    if (!photo) return;
    const last = photos.list.length - 1;
    const place = photos.list.indexOf(photo);
    if (event.key === "Delete" || event.key === "Backspace") photos.remove(photo);
    else if (event.key in STEPS) go(Math.max(0, Math.min(last, place + STEPS[event.key])));
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(last);
    else return;
    event.preventDefault();
    const next = items.get(photos.selected);
    if (part("strip").hidden) part("remove").focus();
    else next?.focus();
  });

  const go = (place) => photos.select(photos.list[place]);
}

const RING = 8; // room for the ring around the photo on show

/** Not scrollIntoView: that would scroll the page, too. */
function bringIntoView(list, item) {
  if (!item || part("strip").hidden) return;
  const [outer, inner] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
  const [before, behind] = [inner.left - RING - outer.left, inner.right + RING - outer.right];
  if (before < 0) list.scrollLeft += before;
  else if (behind > 0) list.scrollLeft += behind;
}

function option(photo) {
  const item = part("thumbnail").content.firstElementChild.cloneNode(true);
  const picture = item.querySelector("img");
  picture.addEventListener("error", () => picture.remove());
  picture.src = photo.url;
  item.title = photo.name;
  return item;
}

function describe(item, photo, hold) {
  item.dataset.state = photo.state === "done" && !photo.good.length ? "unsure" : photo.state;
  item.querySelector(".sent").style.width = `${100 * photo.sent}%`;
  sayState(item, photo, hold);
}

/** Only when it differs: a hold ticks four times a second, for all photos. */
function sayState(item, photo, hold) {
  const words = stateOf(photo, hold);
  // nobody wants to hear every second: what is read aloud leaves the clock out
  const clock = photo.state === "waiting" && hold.seconds ? `, ${hold.seconds}\u00a0s` : "";
  const shown = item.querySelector(".state");
  if (shown.textContent !== words + clock) shown.textContent = words + clock;
  const label = `${photo.name}, ${words}`;
  if (item.getAttribute("aria-label") !== label) item.setAttribute("aria-label", label);
}

const WAITS = { offline: "offline", stopped: "stopped", token: "no token" };

function stateOf(photo, hold) {
  if (photo.state === "done") {
    return photo.good.length ? counted(photo.good.length, "tag") : "not sure";
  }
  const states = { sending: "sending", looking: "looking", failed: "error" };
  return states[photo.state] ?? WAITS[hold.kind] ?? "waiting";
}
