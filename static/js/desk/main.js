// The desk: photos of a folder, their tags, and writing them. This file only wires.

import { token } from "../common/access.js";
import { Hold } from "../common/hold.js";
import { listenToIntake } from "../common/intake.js";
import { listenToHold } from "../common/notice.js";
import { ApiError } from "../common/request.js";
import { counted } from "../common/words.js";
import { fileOf, knownTags, listPhotos, loadable } from "./api.js";
import { Asking } from "./asking.js";
import { listenToChoosing } from "./choosing.js";
import { Grid } from "./grid.js";
import { Intake, intakeWords } from "./intake.js";
import { listenToDeskKeys } from "./keys.js";
import { showPhoto, showSum } from "./photo.js";
import { Photos } from "./photos.js";
import { Selection } from "./selection.js";
import { listenToSimilar } from "./similar.js";
import { Steps } from "./steps.js";
import { Tags } from "./tags.js";
import { listenToWriting } from "./writing.js";

const part = (id) => document.getElementById(id);

const photos = new Photos();
const hold = new Hold();
const selection = new Selection(photos);
const grid = new Grid(photos, selection, () => asking.wake());
const asking = new Asking(photos, hold, grid.inSight);
const steps = new Steps(photos, hold);
const intake = new Intake(hold, Number(part("desk-page").dataset.maxBytes));
const tags = new Tags(decide);

const say = (text) => (part("said").textContent = text);

function complain(message) {
  part("trouble").hidden = !message;
  part("trouble-message").textContent = message;
}

// -------------------------------------------------------------------- showing

photos.addEventListener("change", ({ detail: photo }) => {
  sumSoon();
  if (!photo || photo === photos.current) showPhoto(photos, tags);
  if (!photo) asking.wake();
});

let summing = false;

/** Once for all photos that a step changes. */
function sumSoon() {
  if (summing) return;
  summing = true;
  queueMicrotask(() => {
    summing = false;
    showSum(photos);
  });
}

/** Words, and how far the whole set is. */
function sayDone(words) {
  const { decided, length } = showSum(photos);
  say(`${words} ${decided} of ${length} decided.`);
}

// -------------------------------------------------------------------- loading

let loaded = false;

async function load() {
  try {
    photos.take(await listPhotos());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.hold) return hold.begin(error.hold, error.seconds);
    return complain(error.message);
  }
  hold.succeeded();
  complain("");
  part("folder").textContent = photos.folder;
  if (!loaded) loadTags();
  loaded = true;
}

/** The vocabulary completes what is typed; without it typing works as well. */
async function loadTags() {
  const options = (await knownTags().catch(() => [])).map((tag) => new Option(tag, tag));
  part("all-tags").replaceChildren(...options);
}

part("trouble-again").addEventListener("click", load);
listenToHold(hold);
hold.addEventListener("release", () => {
  if (!loaded) return load();
  steps.wake();
  intake.wake();
  asking.wake();
});

// ------------------------------------------------------------------ decisions

steps.addEventListener("stored", ({ detail: { said, photos: changed, undone } }) => {
  if (undone && !changed.includes(photos.current)) selection.go(changed[0]);
  complain("");
  sayDone(said);
  asking.wake();
});
steps.addEventListener("refused", ({ detail: error }) => {
  if (error.code === "nothing_to_undo") {
    photos.nSteps = 0;
    showSum(photos);
    return say("There is nothing left to undo.");
  }
  complain(error.message);
  load();
});

/** For the chosen photos, else the one on show; words: what is decided. */
function decide(step, words) {
  steps.take(selection.targets, step, `${words}${selection.words}.`);
}

part("accept-sure").addEventListener("click", () => {
  const { current } = photos;
  if (!current) return;
  const accept = current.sure.map((score) => score.tag);
  if (!accept.length) return say(noSure(current));
  decide({ accept }, `${accept.join(", ")} accepted`);
});

function noSure(photo) {
  if (!photo.answer) return "This photo is not looked at yet.";
  const { threshold } = photo.answer;
  return `No suggestion left above ${Math.round(100 * threshold)} %. Accept one by hand, or type a tag.`;
}

part("undo").addEventListener("click", () => steps.undo());

part("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = part("typed");
  const type = [...new Set(field.value.split(",").map((tag) => tag.trim()))].filter(Boolean);
  if (!type.length || !photos.current) return;
  field.value = "";
  decide({ type }, `${type.join(", ")} typed`);
});

listenToSimilar({
  photos,
  decide: (several, step, words) => steps.take(several, step, words),
  say,
});
listenToWriting({ photos, selection, settled: () => steps.settled(), changed: load, say });

// -------------------------------------------------------------------- walking

for (const [id, direction] of [["next-open", 1], ["previous-open", -1]]) {
  part(id).addEventListener("click", ({ detail }) => {
    const next = photos.nextOpen(direction);
    if (!next) return say("No other photo is undecided.");
    selection.go(next);
    if (!detail) grid.focus(); // pressed by a key
  });
}
part("grid").addEventListener("click", () => {
  if (selection.size || selection.isOn) return; // the next one is near this one
  // above the grid on a narrow screen, the photo may be out of sight
  if (part("one").getBoundingClientRect().bottom < 0) part("one").scrollIntoView();
});
part("one-retry").addEventListener("click", () => asking.retry(photos.current));
part("ask-help").addEventListener("click", () => part("help").showModal());
listenToChoosing({ selection, photos, say });
listenToDeskKeys({ photos, selection, grid, tags });

part("file-link").addEventListener("click", async (event) => {
  if (!token.get()) return;
  event.preventDefault();
  const link = document.createElement("a");
  const { id, name } = photos.current;
  try {
    link.href = await loadable(fileOf(id));
  } catch (error) {
    return complain(error.message);
  }
  link.download = name.split("/").pop();
  link.click();
  URL.revokeObjectURL(link.href);
});

// ----------------------------------------------------------------- photos come

listenToIntake((files) => {
  part("refused").textContent = "";
  intake.take(files);
}, say);
intake.addEventListener("added", ({ detail }) => {
  const isFirst = !photos.list.length;
  photos.add(detail);
  if (isFirst) grid.focus();
});
intake.addEventListener("moved", ({ detail }) => say(intakeWords(detail)));
intake.addEventListener("refused", ({ detail }) => {
  part("refused").textContent = detail.join(" ");
});

addEventListener("beforeunload", (event) => {
  if (steps.isBusy || intake.isBusy) event.preventDefault();
});

await load();
if (photos.list.length) {
  grid.focus();
  say(`${counted(photos.list.length, "photo")}.`);
}
