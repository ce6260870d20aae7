// Tags that a photo has already: those that the model finds very unlikely are listed,
// each with its reason. Asked by the photo's latent, so that it is not sent again.

import { rank } from "./api.js";
import { query } from "./controls.js";

const part = (id) => document.getElementById(id);
const SETTLE_MS = 400; // while somebody types

/** Listen to the field; it belongs to the photo on show. */
export function listenToOwnTags(photos) {
  let run = new AbortController();
  let timer = 0;
  let shown = "";

  async function ask() {
    clearTimeout(timer);
    run.abort();
    const { signal } = (run = new AbortController());
    const photo = photos.selected;
    if (!photo?.latent || !photo.own.trim()) return show([], "");
    const asked = `${query()}&existing=${encodeURIComponent(photo.own)}`;
    try {
      const { unlikely } = await rank(photo, asked, signal);
      show(unlikely, unlikely.length ? "These may not fit." : "The model doubts none of them.");
    } catch (error) {
      if (!signal.aborted) show([], error.message);
    }
  }

  part("existing").addEventListener("input", ({ target }) => {
    if (photos.selected) photos.selected.own = target.value;
    clearTimeout(timer);
    timer = setTimeout(ask, SETTLE_MS);
  });
  part("existing").addEventListener("change", ask);
  photos.addEventListener("change", () => {
    const photo = photos.selected;
    const now = photo ? `${photo.id} ${photo.state} ${photo.asked}` : "";
    if (now === shown) return;
    shown = now;
    if (part("existing").value !== (photo?.own ?? "")) part("existing").value = photo?.own ?? "";
    ask();
  });
}

function show(unlikely, said) {
  if (part("own-said").textContent !== said) part("own-said").textContent = said;
  part("unlikely").replaceChildren(
    ...unlikely.map(({ reason }) => {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = reason;
      return item;
    }),
  );
}
