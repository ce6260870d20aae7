// "Why?" of a tag: where in the photo it was seen, how typical the photo is, and the
// nearest training photos with it. Asked for when somebody wants to know.

import { ApiError } from "../common/request.js";
import { percent } from "../common/words.js";
import { explain } from "./api.js";
import { announce } from "./view.js";
import { labelOf, neighbourItem } from "./words.js";

const part = (id) => document.getElementById(id);
const clone = (id) => part(id).content.firstElementChild.cloneNode(true);

const MAX_TAGS = 20; // of one request; several cost no more than one
const FOR = [255, 140, 0]; // as lablr.ranking.saliency paints them
const AGAINST = [30, 110, 255];
const MAX_ALPHA = 0.7 * 255;
const PAINT_PX = 512;
const BY_GAUSSIANS = ["calibrated", "likelihood", "mahalanobis"];

let shown = null; // { photo, tag, controller }

/** Answer the rows' buttons; the explanation goes with the photo it is of. */
export function listenToWhy(photos) {
  part("rows").addEventListener("click", ({ target }) => {
    const row = target.closest(".ask button")?.closest("[data-tag]");
    if (row) ask(photos.selected, row.dataset.tag);
  });
  part("why-close").addEventListener("click", leave);
  part("why").addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });
  part("why-show").addEventListener("change", paint);
  photos.addEventListener("change", () => {
    const { selected } = photos;
    if (shown && (selected !== shown.photo || selected.state !== "done")) close();
    else if (shown) tellRanking();
  });
}

async function ask(photo, tag) {
  close();
  const controller = new AbortController();
  const asked = { photo, tag, controller };
  shown = asked;
  const score = photo.known.get(tag);
  part("why-tag").textContent = score ? labelOf(score) : tag;
  part("why-found").hidden = true;
  part("why-state").hidden = false;
  part("why-state").textContent = "Looking at each part of the photo…";
  part("why").hidden = false;
  part("why").setAttribute("aria-busy", "true");
  part("preview").scrollIntoView({ block: "start" });
  part("why-title").focus({ preventScroll: true });
  try {
    await fetchReasons(photo, tag, controller.signal);
    if (shown === asked) show(photo.reasons.get(tag));
  } catch (error) {
    if (controller.signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    if (shown === asked) part("why-state").textContent = announced(error.message);
  } finally {
    if (shown === asked) part("why").removeAttribute("aria-busy");
  }
}

/** Ask for the tag and, since it costs no more, for the others on show. */
async function fetchReasons(photo, tag, signal) {
  if (photo.reasons.has(tag)) return;
  const others = photo.offered
    .map((score) => score.tag)
    .filter((other) => other !== tag && !photo.reasons.has(other));
  const tags = [tag, ...others].slice(0, MAX_TAGS);
  const { explanations } = await explain(photo.file, tags, signal);
  for (const reason of explanations) photo.reasons.set(reason.tag, reason);
}

function show(reason) {
  const where = whereOf(reason.saliency);
  part("why-where").textContent = where;
  const typical = typicalOf(reason.typicality);
  part("why-typical").textContent = typical;
  part("why-scale").toggleAttribute("hidden", !reason.typicality);
  const place = 6 + 2.88 * (reason.typicality?.percentile ?? 0);
  part("why-scale").querySelector(".place").setAttribute("cx", place.toFixed(1));
  part("why-photos").replaceChildren(
    ...reason.because.map((near) => neighbourItem(clone("neighbour"), near)),
  );
  part("why-none").hidden = reason.because.length > 0;
  tellRanking();
  part("why-state").hidden = true;
  part("why-found").hidden = false;
  announced(`${part("why-title").textContent} ${where} ${typical}`);
  paint();
}

/** Say it to those who listen, and return it. */
function announced(text) {
  announce(text);
  return text;
}

function tellRanking() {
  part("why-other").hidden = BY_GAUSSIANS.includes(shown.photo.answer.ranking);
}

function whereOf({ drops, where, share }) {
  if (where) return `Most of it: ${where} (${percent(share)} of what speaks for it).`;
  if (Math.max(...drops.flat()) <= 0) return "No part of the photo speaks for it.";
  return "Here and there: no one part has most of it.";
}

const KINDS = [
  [25, "Very typical."],
  [75, "Typical."],
  [95, "Less typical."],
  [Infinity, "Unusual."],
];

function typicalOf(typicality) {
  if (!typicality) return "Not known: the model keeps too few photos with this tag.";
  const { percentile, n_photos } = typicality;
  const [, kind] = KINDS.find(([most]) => percentile < most);
  const share = `${Math.round(percentile)} %`;
  return `${kind} It is farther from the middle of the tag than ${share} of ${n_photos} photos with the tag that the model learned from.`;
}

/** Paint the drops over the picture, or take them away. */
function paint() {
  const canvas = part("seen");
  const reason = shown?.photo.reasons.get(shown.tag);
  const picture = part("preview-image");
  canvas.hidden = !reason || !part("why-show").checked || !picture.naturalWidth;
  if (canvas.hidden) return;
  const { drops } = reason.saliency;
  const scale = PAINT_PX / Math.max(picture.naturalWidth, picture.naturalHeight);
  const width = Math.max(1, Math.round(scale * picture.naturalWidth));
  const height = Math.max(1, Math.round(scale * picture.naturalHeight));
  Object.assign(canvas, { width, height });
  // what the encoder sees: the centre of side ratio at most 2:1
  const [w, h] = [Math.min(width, 2 * height), Math.min(height, 2 * width)];
  canvas.getContext("2d").drawImage(cellsOf(drops), (width - w) / 2, (height - h) / 2, w, h);
  const label = `Painted on your photo: where ${part("why-tag").textContent} was seen. ${part("why-where").textContent}`;
  canvas.setAttribute("aria-label", label);
}

/** A canvas of one pixel a cell; stretched, the browser fills in between. */
function cellsOf(drops) {
  const canvas = document.createElement("canvas");
  const n = (canvas.width = canvas.height = drops.length);
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  const strongest = Math.max(...drops.flat().map(Math.abs), 1e-12);
  drops.flat().forEach((drop, cell) => {
    const alpha = Math.round((MAX_ALPHA * Math.abs(drop)) / strongest);
    image.data.set([...(drop > 0 ? FOR : AGAINST), alpha], 4 * cell);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Close it and go back to where it was asked. */
function leave() {
  const { tag } = shown;
  close();
  const row = [...part("rows").children].find((line) => line.dataset.tag === tag);
  (row?.querySelector(".ask button") ?? part("result")).focus();
}

function close() {
  shown?.controller.abort();
  shown = null;
  part("why").hidden = true;
  paint();
}
