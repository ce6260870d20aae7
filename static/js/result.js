// Fills the result's markup (the same that the server fills without JavaScript)
// with an answer of the API.

import { draw } from "./charts.js";

const part = (id) => document.getElementById(id);
const clone = (id) => part(id).content.firstElementChild.cloneNode(true);

let figures = null;

export function showResult(answer) {
  const good = (tag) => tag.probability >= answer.threshold;
  part("unsure").hidden = answer.sure;
  part("chips").replaceChildren(...answer.tags.map((tag) => chip(tag, good(tag))));
  part("rows").replaceChildren(
    ...answer.tags.map((tag, index) => row(tag, index + 1, good(tag))),
  );
  for (const id of ["result", "maps", "numbers"]) part(id).hidden = false;
  countChosen();
  figures = answer.figures;
  describe(answer.tags);
  return drawCharts();
}

/** What can be copied: the checked tags, in their order. */
export function chosenTags() {
  return [...part("chips").querySelectorAll("input:checked")].map((box) => box.value);
}

export function countChosen() {
  const { length } = chosenTags();
  part("copy").disabled = length === 0;
  part("copy").textContent = length === 1 ? "Copy 1 tag" : `Copy ${length || ""} tags`;
  part("copied").textContent = "";
}

/** Draw what is in sight; a hidden panel has no width to draw for. */
export async function drawCharts() {
  if (!figures) return;
  await draw(part("bars"), figures.ranked_tags);
  if (part("panel-map").hidden) {
    await draw(part("dots"), figures.training_photos, { zoom: true });
  } else {
    await draw(part("map"), figures.latent_map, { zoom: true });
  }
}

function chip(tag, good) {
  const item = clone("chip");
  item.classList.toggle("good", good);
  const box = item.querySelector("input");
  box.value = tag.tag;
  box.checked = good;
  item.querySelector(".name").textContent = tag.tag;
  item.querySelector(".share").textContent = percent(tag.probability);
  return item;
}

function row(tag, rank, good) {
  const line = clone("row");
  line.classList.toggle("good", good);
  const cells = [
    rank,
    tag.tag,
    percent(tag.probability),
    tag.squared_mahalanobis.toFixed(1),
    signed(tag.log_likelihood_ratio),
  ];
  [...line.children].forEach((cell, index) => (cell.textContent = cells[index]));
  return line;
}

/** Words for those who cannot see the pictures. */
function describe(tags) {
  const names = (count) => tags.slice(0, count).map((tag) => tag.tag).join(", ");
  const bars = tags.map((tag) => `${tag.tag} ${percent(tag.probability)}`).join(", ");
  part("bars").setAttribute("aria-label", `Bar chart of probabilities: ${bars}`);
  part("map").setAttribute(
    "aria-label",
    `Map: your photo, a red cross, among the circles of ${names(5)} and other tags`,
  );
  part("dots").setAttribute(
    "aria-label",
    `Map: your photo, a red cross, among training photos of ${names(3)}`,
  );
}

// the same words as lablr.map_layout.percent
function percent(probability) {
  if (probability > 0 && probability < 0.01) return "< 1 %";
  return `${Math.min(Math.round(100 * probability), probability < 1 ? 99 : 100)} %`;
}

const signed = (number) =>
  (number >= 0 ? "+" : "\u2212") + Math.abs(number).toFixed(2);
