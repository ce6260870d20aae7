// Tags and results in words.

import { counted, percent } from "../common/words.js";

/** What a tag is called: in the language asked for, else the model's word. */
export const labelOf = (score) => score.label ?? score.tag;

export const signed = (number) =>
  (number >= 0 ? "+" : "\u2212") + Math.abs(number).toFixed(2);

/** Fill the markup of a training photo: how similar, its tags, its page. */
export function neighbourItem(item, { similarity, tags, page }) {
  item.querySelector(".share").textContent = percent(Math.max(similarity, 0));
  item.querySelector(".tags").textContent = tags.join(", ");
  const link = item.querySelector(".page");
  if (page) link.href = page;
  else link.remove();
  return item;
}

/** Tags as one line: with commas, or as Flickr's own field takes them. */
export function joined(tags, form) {
  if (form !== "flickr") return tags.join(", ");
  return tags.map(quoted).join(" ");
}

// Flickr splits at spaces outside double quotes and knows no escape for a quote.
function quoted(tag) {
  const plain = tag.replaceAll('"', "");
  return /[\s,]/.test(plain) ? `"${plain}"` : plain;
}

/** What is said aloud when a photo's answer is there. */
export function spoken(photo) {
  const tags = photo.good.map(labelOf);
  if (!tags.length) return `${photo.name}: not sure, no tag is likely enough.`;
  return `${photo.name}: ${counted(tags.length, "tag")} suggested: ${tags.join(", ")}.`;
}
