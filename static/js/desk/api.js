// What the desk asks of the server: photos, suggestions, steps, writing.

import { token } from "../common/access.js";
import { ApiError, formOf, request, requestJson } from "../common/request.js";

const { desk, tags } = document.getElementById("desk-page").dataset;

export const listPhotos = () => requestJson(`${desk}/photos`);
export const sendPhoto = (file) => requestJson(`${desk}/photos`, { body: formOf(file) });
export const suggestionsOf = (id, signal) =>
  requestJson(`${desk}/photos/${id}/suggestions?k=10`, { signal });
export const sendStep = (json) => requestJson(`${desk}/steps`, { json });
/** nSteps: what this page knows of; the server refuses when there were others since. */
export const undoStep = (nSteps) =>
  requestJson(`${desk}/undo`, { json: { n_steps: nSteps } });
export const knownTags = async () => (await requestJson(tags)).tags;

/** `tell(line)` for each file as it is done; resolves to the last line, the sum. */
export const writeTags = (json, tell, signal) => lines(`${desk}/write`, { json, signal }, tell);
export const undoWriting = (run, tell) => lines(`${desk}/write/undo`, { json: { run } }, tell);

const CUT = "The connection was cut before the last file. What is written stays written.";

async function lines(path, options, tell) {
  const response = await request(path, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, sum] = ["", null];
  try {
    for (let done = false; !done; ) {
      const piece = await reader.read();
      ({ done } = piece);
      const parts = (rest + (piece.value ?? "")).split("\n");
      rest = done ? "" : parts.pop();
      for (const line of parts.filter(Boolean).map((text) => JSON.parse(text))) {
        if ("n_written" in line) sum = line;
        else tell(line);
      }
    }
  } catch {
    throw new ApiError(CUT);
  }
  if (!sum) throw new ApiError(CUT);
  return sum;
}

export const pictureOf = (id, side) => `${desk}/photos/${id}/image?side=${side}`;
export const fileOf = (id) => `${desk}/photos/${id}/file`;

/** An address that an element can load: itself, or its bytes where a token is asked for. */
export async function loadable(address) {
  if (!token.get()) return address;
  return URL.createObjectURL(await (await request(address)).blob());
}
