// The accepted tags go out: to the clipboard, or as a file of text or JSON.

import { joined } from "./words.js";

const part = (id) => document.getElementById(id);

/** The chosen form of a line of tags: "commas" or "flickr". */
const form = () => part("copy-form").querySelector("input:checked").value;

export function listenToSaving(photos) {
  part("copy").addEventListener("click", () => copy(joined(photos.selected.accepted, form())));
  part("saving").addEventListener("click", ({ target }) => {
    const { save } = target.dataset;
    if (!save) return;
    const [what, whose] = save.split("-");
    const list = whose === "all" ? photos.list : [photos.selected];
    const ready = list.filter((photo) => photo.answer);
    const name = whose === "all" ? "lablr-tags" : stem(photos.selected.name);
    if (what === "json") offer(json(ready, whose === "all"), "application/json", `${name}.json`);
    else offer(lines(ready, whose === "all"), "text/plain;charset=utf-8", `${name}.txt`);
    part("saving").open = false;
    part("saving").querySelector("summary").focus();
  });
  closeLikeAMenu(part("saving"));
}

/** One photo: its tags. Several: a line each, the name before a tab. */
function lines(photos, named) {
  return photos
    .map((photo) => (named ? `${photo.name}\t` : "") + joined(photo.accepted, form()) + "\n")
    .join("");
}

function json(photos, several) {
  const records = photos.map((photo) => {
    const { tags, sure, threshold, ranking } = photo.answer;
    return { photo: photo.name, accepted: photo.accepted, tags, sure, threshold, ranking };
  });
  return JSON.stringify(several ? records : records[0], null, 2) + "\n";
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || "photo";

/** Hand a file to the browser's own downloads. */
export function offer(content, type, name) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function closeLikeAMenu(menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

let timer;

async function copy(text) {
  const done = await copied(text);
  part("copied").textContent = done ? "Copied" : `Copy it by hand: ${text}`;
  part("copied").classList.toggle("visually-hidden", done);
  part("copy").classList.toggle("done", done);
  clearTimeout(timer);
  timer = setTimeout(() => part("copy").classList.remove("done"), 2000);
}

/** The clipboard needs https or localhost; elsewhere the old command still works. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    part("copy").focus();
    return done;
  }
}
