// Photos come in: chosen, dropped, pasted, or one of the samples.

import { ApiError, request } from "./request.js";
import { mebibytes } from "./words.js";

const part = (id) => document.getElementById(id);
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Call `take(files, credit)` for photos, `fail(message)` when a sample cannot be had. */
export function listenToIntake(take, fail) {
  const input = part("photo");
  input.multiple = true; // only here: without JavaScript the form takes one
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same photo can be chosen again
    if (files.length) take(files);
  });
  part("form").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  listenToDrop(take);
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => takeSample(button, take, fail));
  }
}

function listenToDrop(take) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const veil = () => (part("veil").hidden = depth === 0);
  const on = (type, react) =>
    addEventListener(type, (event) => {
      if (holdsFiles(event)) react(event);
    });
  on("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    veil();
  });
  on("dragleave", () => {
    depth = Math.max(0, depth - 1);
    veil();
  });
  on("dragover", (event) => event.preventDefault());
  on("drop", (event) => {
    event.preventDefault();
    depth = 0;
    veil();
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

async function takeSample(button, take, fail) {
  const { sample, name, author, page } = button.dataset;
  try {
    const photo = await (await request(sample)).blob();
    take([new File([photo], name, { type: photo.type })], { author, page });
  } catch {
    fail("The sample photo could not be fetched.");
  }
}

/** Refuse what the server would not take, before it is sent. */
export function checkSize({ size }, maxBytes) {
  if (size <= maxBytes) return;
  const [has, most] = [mebibytes(size), Math.round(mebibytes(maxBytes))];
  throw new ApiError(
    `The photo has ${has} MiB; at most ${most} MiB are taken. Save it smaller and retry.`,
  );
}
