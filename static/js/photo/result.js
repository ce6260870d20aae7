// Fills the result's markup (the same that the server fills without JavaScript)
// with the answer for a photo.

import { draw } from "../common/charts.js";
import { percent } from "../common/words.js";
import { expectedTags } from "./controls.js";
import { linkElements, onMark, repaint } from "./links.js";
import { drawMaps, listenToHover } from "./maps.js";
import { labelOf, neighbourItem, signed } from "./words.js";

const part = (id) => document.getElementById(id);
const clone = (id) => part(id).content.firstElementChild.cloneNode(true);
const BAR_PX = 36; // as lablr.figures.charts draws them
const AXIS_PX = 56;

let shown = null; // the photo in the markup

/** Put in a photo's answer: chips and numbers now, charts when they can be drawn. */
export function showResult(photo) {
  shown = photo;
  const { answer } = photo;
  part("unsure").hidden = answer.sure;
  part("legend-tag").textContent = answer.sure ? "suggested tag" : "closest tag";
  part("chips").replaceChildren(...photo.offered.map((score) => chip(photo, score)));
  part("rows").replaceChildren(
    ...answer.tags.map((score, index) => row(photo, score, index)),
  );
  part("bars").style.minHeight = px(answer.tags.length);
  if (answer.because) showNeighbours(answer.because);
  countAccepted();
  describe(answer.tags);
  return drawCharts();
}

/** Room for the answer that is to come, so that nothing moves when it does. */
export function showRoom() {
  shown = null;
  const n = expectedTags();
  const pills = Array.from({ length: n }, (_, index) => {
    const pill = document.createElement("li");
    pill.className = "pill";
    pill.style.width = `${[8.6, 7.4, 6.5, 7.9, 7.1][index % 5]}rem`;
    return pill;
  });
  part("unsure").hidden = true;
  part("because").hidden = true;
  part("chips").replaceChildren(...pills);
  part("rows").replaceChildren();
  part("bars").style.minHeight = px(n);
  countAccepted();
}

const px = (tags) => `${BAR_PX * Math.max(tags, 1) + AXIS_PX}px`;

/** Draw what is in sight, as soon as the answer holds its figures. */
export async function drawCharts() {
  const { figures } = shown?.answer ?? {};
  if (!figures) return;
  const photo = shown;
  await draw(part("bars"), figures.ranked_tags);
  listenToHover(part("bars"), (point) => point.y);
  await drawMaps(photo);
  listenToHoverOfDots();
  repaint();
}

function listenToHoverOfDots() {
  if (!part("dots").data) return;
  listenToHover(part("dots"), ({ data, curveNumber }) =>
    curveNumber < part("dots").data.length - 1 ? data.meta : null,
  );
}

export function countAccepted() {
  const length = shown?.accepted.length ?? 0;
  part("copy").disabled = length === 0;
  part("copy-label").textContent = length === 1 ? "Copy 1 tag" : `Copy ${length || ""} tags`;
  part("copied").textContent = "";
}

/** Listen to the chips and rows; `accept(tag, wanted)` tells what a person wants. */
export function listenToResult(accept) {
  part("chips").addEventListener("change", ({ target }) => {
    accept(target.value, target.checked);
    countAccepted();
  });
  linkElements(part("chips"));
  linkElements(part("rows"));
  part("rows").addEventListener("keydown", walkRows);
  onMark((tag) => {
    const tags = part("bars").data?.[0]?.y ?? [];
    part("bars").classList.toggle("marking", tags.includes(tag));
    part("bars").querySelectorAll(".bars .point").forEach((bar, index) => {
      bar.classList.toggle("marked", tags[index] === tag);
    });
  });
}

/** One row takes the Tab key, the arrows go on from there. */
function walkRows(event) {
  const rows = [...part("rows").children];
  const place = rows.indexOf(event.target.closest("tr"));
  const places = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: rows.length - 1 };
  const next = rows[places[event.key]];
  if (!next) return;
  event.preventDefault();
  reachByTab(rows[place], false);
  reachByTab(next, true);
  next.focus();
}

/** Let Tab stop at a row and then at its button, or at neither. */
function reachByTab(line, yes) {
  line.tabIndex = yes ? 0 : -1;
  line.querySelector(".ask button").tabIndex = line.tabIndex;
}

/** The training photos nearest to this one; a model may keep none. */
function showNeighbours(neighbours) {
  part("because").hidden = !neighbours.length;
  part("neighbours").replaceChildren(
    ...neighbours.map((near) => neighbourItem(clone("neighbour"), near)),
  );
}

function chip(photo, score) {
  const item = clone("chip");
  item.dataset.tag = score.tag;
  item.classList.toggle("good", photo.isGood(score));
  const box = item.querySelector("input");
  box.value = score.tag;
  box.checked = photo.isAccepted(score);
  name(item.querySelector(".name"), photo, score);
  item.querySelector(".share").textContent = percent(score.probability);
  return item;
}

function row(photo, score, index) {
  const line = clone("row");
  line.dataset.tag = score.tag;
  line.classList.toggle("good", photo.isGood(score));
  line.querySelector(".ask button").setAttribute("aria-label", `Why ${labelOf(score)}?`);
  reachByTab(line, index === 0);
  const cells = [
    index + 1,
    null, // the tag
    percent(score.probability),
    score.squared_mahalanobis.toFixed(1),
    signed(score.log_likelihood_ratio),
  ];
  cells.forEach((text, place) => {
    const cell = line.children[place];
    if (text === null) name(cell.querySelector("bdi"), photo, score);
    else cell.textContent = text;
  });
  return line;
}

/** Put in what a tag is called; the model's word shows under the pointer. */
function name(element, photo, score) {
  element.textContent = labelOf(score);
  if (!score.label) return;
  element.lang = photo.answer.language;
  if (score.label !== score.tag) element.title = score.tag;
}

/** Words for those who cannot see the pictures. */
function describe(scores) {
  const names = (count) => scores.slice(0, count).map(labelOf).join(", ");
  const bars = scores
    .map((score) => `${labelOf(score)} ${percent(score.probability)}`)
    .join(", ");
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
