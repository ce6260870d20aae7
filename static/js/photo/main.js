// The page: photos come in, are sent, and their answers shown. This file only wires.

import { loadPlotly, width } from "../common/charts.js";
import { Hold } from "../common/hold.js";
import { listenToIntake } from "../common/intake.js";
import { listenToHold } from "../common/notice.js";
import { counted } from "../common/words.js";
import { listenToControls, query } from "./controls.js";
import { listenToMaps } from "./maps.js";
import { listenToOwnTags } from "./own_tags.js";
import { MAX_PHOTOS, Photos } from "./photos.js";
import { Ranker } from "./ranker.js";
import { listenToResult } from "./result.js";
import { listenToSaving } from "./saving.js";
import { Sending } from "./sending.js";
import { listenToStrip } from "./strip.js";
import { listenToTour } from "./tour.js";
import { announce, listenToCharts, note, showCharts, showPage, tell } from "./view.js";
import { listenToWhy } from "./why.js";
import { labelOf } from "./words.js";

const part = (id) => document.getElementById(id);

const asked = (withFigures) => query(withFigures ? width() : "");
const photos = new Photos();
const hold = new Hold();
const sending = new Sending(photos, hold, {
  query: asked,
  maxBytes: Number(part("photo-page").dataset.maxBytes),
});
const ranker = new Ranker(photos, hold, sending, { query: asked });

listenToStrip(photos, hold);
photos.addEventListener("change", ({ detail: photo }) => {
  showPage(photos, hold);
  if (photo && ["done", "failed"].includes(photo.state) && photo.told !== photo.state) {
    tell(photos, photo);
  }
  if (photo) photo.told = photo.state;
  // a photo just chosen, or answered for other controls, may lack its figures
  if (!photo || photo.state === "done") ranker.refresh();
});

hold.addEventListener("change", () => showPage(photos, hold));
hold.addEventListener("release", () => {
  sending.wake();
  ranker.refresh();
});
listenToHold(hold);

listenToIntake(
  (files, credit) => {
    const added = photos.add(files, credit);
    const all = added.length === files.length;
    announce(`${counted(added.length, "photo")} added.`);
    note(all ? "" : `A page holds ${MAX_PHOTOS} photos; ${added.length} of ${files.length} were added.`);
    sending.wake();
  },
  note,
);

part("retry").addEventListener("click", () => sending.retry(photos.selected));
part("remove").addEventListener("click", () => {
  const { name } = photos.selected;
  photos.remove(photos.selected);
  announce(`${name} removed.`);
  if (!photos.list.length) part("photo").focus();
});

listenToControls(() => ranker.refresh());
ranker.addEventListener("ranked", ({ detail: photo }) => {
  part("ranking-error").textContent = "";
  if (photo !== photos.selected) return;
  const tags = photo.answer.tags.slice(0, 5).map(labelOf);
  announce(`Ranked again: ${tags.join(", ")}.`);
});
ranker.addEventListener("failed", ({ detail: error }) => {
  part("ranking-error").textContent = error.message;
});

listenToResult((tag, wanted) => photos.selected.choices.set(tag, wanted));
listenToSaving(photos);
listenToWhy(photos);
listenToOwnTags(photos);
listenToCharts();
listenToTour();
listenToMaps({
  name: () => photos.selected.name.replace(/\.[^.]*$/, ""),
  drawn: () => showCharts("missing"),
});

let layout = width();
addEventListener("resize", () => {
  if (layout === width()) return;
  layout = width();
  ranker.refresh(); // the figures' labels are placed for another width
});

// Plotly is large: fetch it while the person looks for a photo.
addEventListener("load", () => loadPlotly().catch(() => {}));
