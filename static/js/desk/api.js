// What the desk asks of the server: photos, suggestions, steps, writing.

import { token } from "../common/access.js";
import { ApiError, cancelled, refused, unreachable } from "../common/request.js";

const { desk, tags } = document.getElementById("desk-page").dataset;

/** Fetch; resolves to a response that is all right, else throws an ApiError. */
async function call(path, { json, form, signal } = {}) {
  const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  if (json) headers["Content-Type"] = "application/json";
  const body = json ? JSON.stringify(json) : form;
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body, signal });
  } catch {
    throw signal?.aborted ? cancelled() : unreachable();
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => null))?.error;
  throw refused(response.status, said, response.headers.get("Retry-After"));
}

async function answerOf(...request) {
  const response = await call(...request);
  try {
    return await response.json();
  } catch {
    throw request[1]?.signal?.aborted ? cancelled() : unreachable();
  }
}

export const listPhotos = () => answerOf(`${desk}/photos`);
export const suggestionsOf = (id, signal) =>
  answerOf(`${desk}/photos/${id}/suggestions?k=10`, { signal });
export const sendStep = (json) => answerOf(`${desk}/steps`, { json });
/** nSteps: what this page knows of; the server refuses when there were others since. */
export const undoStep = (nSteps) =>
  answerOf(`${desk}/undo`, { json: { n_steps: nSteps } });
export const knownTags = async () => (await answerOf(tags)).tags;

export function sendPhoto(file) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  return answerOf(`${desk}/photos`, { form });
}

/** `tell(line)` for each file as it is done; resolves to the last line, the sum. */
export const writeTags = (json, tell, signal) => lines(`${desk}/write`, { json, signal }, tell);
export const undoWriting = (run, tell) => lines(`${desk}/write/undo`, { json: { run } }, tell);

const CUT = "The connection was cut before the last file. What is written stays written.";

async function lines(path, request, tell) {
  const response = await call(path, request);
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
    throw request.signal?.aborted ? cancelled() : new ApiError(CUT);
  }
  if (!sum) throw new ApiError(CUT);
  return sum;
}

export const pictureOf = (id, side) => `${desk}/photos/${id}/image?side=${side}`;
export const fileOf = (id) => `${desk}/photos/${id}/file`;

/** An address that an element can load: itself, or its bytes where a token is asked for. */
export async function loadable(address) {
  if (!token.get()) return address;
  return URL.createObjectURL(await (await call(address)).blob());
}
