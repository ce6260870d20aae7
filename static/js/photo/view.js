// Shows the photo on show in whatever state it is: empty, working, done, failed.

import { showThreshold } from "./controls.js";
import { drawCharts, showResult, showRoom } from "./result.js";
import { spoken } from "./words.js";

const part = (id) => document.getElementById(id);
const page = part("photo-page");

const WORK = {
  waiting: "Waiting for its turn…",
  sending: "Sending the photo…",
  looking: "Looking at the photo…",
};

let shown = { photo: undefined, answer: null };

/** Say something to those who listen to the page. */
export const announce = (text) => (part("status").textContent = text);

/** Say something about photos that did not come in; "" takes it back. */
export const note = (text) => (part("note").textContent = text);

export function showPage(photos, hold) {
  const photo = photos.selected;
  const state = photo?.state ?? "empty";
  const alone = photos.list.length < 2;
  const opened = Boolean(photo) && !(alone && state === "failed");
  const working = state in WORK;
  page.classList.toggle("opened", opened);
  page.classList.toggle("failed", opened && state === "failed");
  page.classList.toggle("working", working);
  part("drop").classList.toggle("compact", opened);
  part("photo").setAttribute("aria-label", opened ? "Add photos" : "Choose photos");
  part("samples")?.toggleAttribute("hidden", opened);
  part("preview").hidden = !opened;
  part("controls").hidden = !opened;
  for (const id of ["result", "maps"]) part(id).hidden = !opened || state === "failed";
  part("numbers").hidden = state !== "done";
  if (state !== "done") part("because").hidden = true;
  part("result").setAttribute("aria-busy", String(working));
  part("saving").inert = working; // there is nothing to save yet
  showPreview(photo);
  showWork(photo, state, hold);
  showError(photo);
  showAnswer(photo, working);
}

function showWork(photo, state, hold) {
  part("working").hidden = !(state in WORK);
  part("working-text").textContent = hold.active ? "Waiting…" : WORK[state];
  if (state === "sending") part("progress").value = photo.sent;
  else part("progress").removeAttribute("value");
  part("progress").hidden = state === "waiting";
}

function showError(photo) {
  const { error } = photo ?? {};
  part("error").hidden = !error;
  part("error-message").textContent = error ? `${photo.name}: ${error.message}` : "";
  part("retry").hidden = !error?.retry;
  part("photo").setAttribute("aria-invalid", String(Boolean(error)));
}

/** The picture takes its place when its size is known, so that nothing jumps. */
async function showPreview(photo) {
  if (shown.photo === photo) return;
  shown = { photo, answer: null };
  const image = part("preview-image");
  part("preview-name").textContent = photo?.name ?? "";
  showCredit(photo?.credit);
  if (!photo) return image.removeAttribute("src");
  const candidate = new Image();
  candidate.src = photo.url;
  const readable = await candidate.decode().then(() => true, () => false);
  if (shown.photo !== photo) return;
  part("preview").classList.toggle("unreadable", !readable);
  if (readable) image.src = photo.url;
  else image.removeAttribute("src");
}

function showCredit(credit) {
  part("credit").hidden = !credit;
  if (!credit) return;
  part("credit-author").textContent = credit.author;
  part("credit-author").href = credit.page;
}

function showAnswer(photo, working) {
  if (working && shown.answer !== "room") {
    shown.answer = "room";
    showRoom();
    showCharts("");
  }
  if (photo?.state !== "done" || shown.answer === photo.answer) return;
  shown.answer = photo.answer;
  showThreshold(photo.answer.threshold);
  page.classList.toggle("undrawn", !photo.answer.figures);
  showResult(photo).then(() => showCharts(""), () => showCharts("missing"));
}

/** "" or "missing": whether the charts could be drawn. */
export function showCharts(state) {
  page.classList.toggle("no-charts", state === "missing");
}

export function listenToCharts() {
  for (const button of document.querySelectorAll(".charts-again")) {
    button.addEventListener("click", () =>
      drawCharts().then(() => showCharts(""), () => showCharts("missing")),
    );
  }
}

/** What is worth saying about a photo that has just been answered or refused. */
export function tell(photos, photo) {
  const { list, selected } = photos;
  const open = list.filter((each) => !["done", "failed"].includes(each.state));
  const words = [];
  if (photo === selected && photo.state === "done") words.push(spoken(photo));
  if (photo !== selected && photo.state === "failed") {
    words.push(`${photo.name}: ${photo.error.message}`);
  }
  if (list.length > 1 && !open.length) words.push(`All ${list.length} photos are done.`);
  if (words.length) announce(words.join(" "));
}
