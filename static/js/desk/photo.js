// The current photo: its picture, its state, what can be done with it.

import { counted, percent } from "../common/words.js";
import { fileOf, loadable, pictureOf } from "./api.js";
import { stateOf } from "./grid.js";

const part = (id) => document.getElementById(id);
const SIDE = 1280;

let shown = null;

export function showPhoto(photos, tags) {
  const { current: photo, list } = photos;
  part("one").hidden = !photo;
  if (!photo) return;
  if (shown !== photo) showPicture(photo);
  part("one-name").textContent = photo.name;
  part("one-place").textContent = `${list.indexOf(photo) + 1} of ${list.length}`;
  part("one-state").textContent = stateOf(photo);
  part("one-state").dataset.state = photo.state;
  part("one-error").hidden = photo.asked !== "failed";
  part("one-error-message").textContent = photo.error?.message ?? "";
  part("one-retry").hidden = !photo.error?.retry;
  part("file-link").href = fileOf(photo.id);
  const { answer } = photo;
  part("one").classList.toggle("looking", !answer && photo.asked !== "failed");
  part("tags").setAttribute("aria-busy", String(!answer && photo.asked !== "failed"));
  part("one-unsure").hidden = photo.state !== "unsure";
  part("threshold-note").textContent = answer ? `above ${percent(answer.threshold)}` : "";
  part("sure-count").textContent = photo.sure.length || "";
  part("similar-count").textContent = answer?.similar.length || "";
  tags.show(photo);
}

/** The picture of the photo before goes at once; the next ones are fetched ahead. */
async function showPicture(photo) {
  shown = photo;
  const image = part("large");
  image.removeAttribute("src");
  image.alt = "";
  part("no-large").hidden = true;
  const failed = () => {
    if (shown === photo) part("no-large").hidden = false;
  };
  image.onerror = () => image.hasAttribute("src") && failed();
  try {
    const address = await loadable(pictureOf(photo.id, SIDE));
    if (shown !== photo) return;
    image.src = address;
    image.alt = photo.name;
  } catch {
    failed();
  }
}

/** The whole set in one line. */
export function showSum(photos) {
  const counts = {};
  for (const photo of photos.list) counts[photo.state] = (counts[photo.state] ?? 0) + 1;
  const { length } = photos.list;
  const written = counts.written ?? 0;
  const decided = written + (counts.decided ?? 0);
  const looked = length - (counts.new ?? 0) - (counts.working ?? 0);
  const words = [
    `${decided} of ${length} decided`,
    written && `${written} written`,
    looked < length && `${looked} looked at`,
    counts.failed && `${counts.failed} failed`,
  ];
  part("sum").textContent = words.filter(Boolean).join(" · ");
  part("sum-bar").max = Math.max(length, 1);
  part("sum-bar").value = decided;
  part("n-photos").textContent = counted(length, "photo");
  // a step on its way can be taken back, too
  part("undo").disabled = !photos.nSteps && !photos.list.some((photo) => photo.pending.length);
  part("nothing").hidden = length > 0;
  part("set").hidden = !length;
  return { decided, length };
}
