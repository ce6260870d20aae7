// The page's own doings: take a photo, show it, send it, show the answer.

import { isNarrow, loadPlotly } from "./charts.js";
import { chosenTags, countChosen, drawCharts, showResult } from "./result.js";
import { isCancelled, suggest, UploadError } from "./upload.js";

const part = (id) => document.getElementById(id);
const desk = part("desk");
const input = part("photo");
const MAX_BYTES = 10 * 1024 * 1024;

let running = null; // the AbortController of the photo under way
let last = null; // the photo to send again
let shown = null; // { url, name } of the photo whose result is on the page

// ---------------------------------------------------------------- taking a photo

input.addEventListener("change", () => {
  if (input.files.length) take(input.files[0]);
  input.value = ""; // so that the same photo can be chosen again
});

part("form").addEventListener("submit", (event) => event.preventDefault());
part("retry").addEventListener("click", () => last && take(last));

document.addEventListener("paste", (event) => {
  const [photo] = event.clipboardData?.files ?? [];
  if (photo) {
    event.preventDefault();
    take(photo);
  }
});

let depth = 0; // dragenter and dragleave come for every element on the way
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
const veil = (visible) => (part("veil").hidden = !visible);

addEventListener("dragenter", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  depth += 1;
  veil(true);
});
addEventListener("dragleave", (event) => {
  if (!holdsFiles(event)) return;
  depth = Math.max(0, depth - 1);
  veil(depth > 0);
});
addEventListener("dragover", (event) => {
  if (holdsFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  depth = 0;
  veil(false);
  const { files } = event.dataTransfer;
  if (files.length > 1) complain(new UploadError("One photo at a time, please."));
  else if (files.length) take(files[0]);
});

// ------------------------------------------------------------- sending and showing

async function take(photo) {
  running?.abort();
  const controller = (running = new AbortController());
  last = photo;
  clearError();
  const candidate = { url: URL.createObjectURL(photo), name: photo.name };
  try {
    if (photo.size > MAX_BYTES) throw new UploadError(tooLarge(photo));
    preview(candidate);
    work("Sending the photo…");
    const answer = await suggest(desk.dataset.api, photo, {
      narrow: isNarrow(),
      signal: controller.signal,
      onProgress: sent,
    });
    keep(candidate);
    rest();
    desk.classList.add("answered");
    part("status").textContent = spoken(answer);
    await showResult(answer).catch(chartsMissing);
  } catch (error) {
    URL.revokeObjectURL(candidate.url);
    if (isCancelled(error)) return; // another photo took its place
    if (!(error instanceof UploadError)) throw error;
    preview(shown);
    rest();
    complain(error, photo.name);
  }
}

function keep(candidate) {
  if (shown) URL.revokeObjectURL(shown.url);
  shown = candidate;
}

function preview(photo) {
  part("preview").hidden = !photo;
  part("drop").classList.toggle("compact", Boolean(photo));
  if (!photo) return;
  part("preview-image").src = photo.url;
  part("preview-name").textContent = photo.name;
}

function work(message) {
  desk.setAttribute("aria-busy", "true");
  part("status").textContent = message;
  part("progress").hidden = false;
  part("progress").removeAttribute("value");
}

function sent(share) {
  if (share < 1) {
    part("progress").value = share;
  } else {
    part("progress").removeAttribute("value");
    part("status").textContent = "Looking at the photo…";
  }
}

function rest() {
  desk.removeAttribute("aria-busy");
  part("progress").hidden = true;
  part("status").textContent = "";
}

function complain(error, name) {
  part("error-message").textContent = name ? `${name}: ${error.message}` : error.message;
  part("error").hidden = false;
  part("retry").hidden = !error.retry;
  input.setAttribute("aria-invalid", "true");
}

function clearError() {
  part("error").hidden = true;
  part("error-message").textContent = "";
  input.removeAttribute("aria-invalid");
}

function chartsMissing() {
  part("status").textContent = "The charts could not be drawn; the numbers are below.";
}

const tooLarge = (photo) =>
  `The photo has ${(photo.size / 1024 / 1024).toFixed(1)} MiB; at most 10 MiB are taken.`;

function spoken(answer) {
  const tags = answer.tags.filter((tag) => tag.probability >= answer.threshold);
  if (!tags.length) return "Not sure: no tag is likely enough.";
  return `${tags.length === 1 ? "1 tag" : `${tags.length} tags`} suggested: ${tags
    .map((tag) => tag.tag)
    .join(", ")}.`;
}

// ------------------------------------------------------------------------- copying

part("chips").addEventListener("change", countChosen);

part("copy").addEventListener("click", async () => {
  const text = chosenTags().join(", ");
  part("copied").textContent = (await copied(text)) ? "Copied" : text;
});

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

// ---------------------------------------------------------------------------- tabs

const tabs = [part("tab-map"), part("tab-photos")];

function select(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    part(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  drawCharts().catch(chartsMissing);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    const target =
      event.key === "Home"
        ? 0
        : event.key === "End"
          ? tabs.length - 1
          : event.key in steps
            ? (tabs.indexOf(tab) + steps[event.key] + tabs.length) % tabs.length
            : null;
    if (target === null) return;
    event.preventDefault();
    tabs[target].focus();
    select(tabs[target]);
  });
}

// Plotly is large: fetch it while the person looks for a photo.
addEventListener("load", () => loadPlotly().catch(() => {}));
