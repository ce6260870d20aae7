// The JSON API of the photo page: a photo to tags, a latent to tags ranked otherwise,
// a photo and its tags to explanations.

import { token } from "../common/access.js";
import { ApiError, cancelled, refused, unreachable } from "../common/request.js";

const { api, explanations, rankings } = document.getElementById("photo-page").dataset;
const TIMEOUT_MS = 120_000;

/**
 * Send a photo; resolves to the API's object with its latent.
 * XMLHttpRequest, because fetch does not tell how much has been sent.
 */
export function suggest(file, query, { onProgress, signal }) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  return send(`${api}?${query}&latent=1`, form, { onProgress, signal });
}

/** Rank a photo again by the latent of its first answer. */
export function rank({ latent, features }, query, { signal }) {
  const body = JSON.stringify({ latent, features });
  return send(`${rankings}?${query}`, body, { type: "application/json", signal });
}

/** Why a photo got some tags, with where in it they were seen. */
export function explain(file, tags, { signal }) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  const query = new URLSearchParams({ tag: tags.join(","), saliency: "1" });
  return send(`${explanations}?${query}`, form, { signal });
}

function send(address, body, { type, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.responseType = "json";
    request.timeout = TIMEOUT_MS;
    if (type) request.setRequestHeader("Content-Type", type);
    if (token.get()) request.setRequestHeader("Authorization", `Bearer ${token.get()}`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress?.(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else {
        const wait = request.getResponseHeader("Retry-After");
        reject(refused(request.status, request.response?.error, wait));
      }
    };
    request.onerror = () => reject(unreachable());
    request.ontimeout = () =>
      reject(new ApiError("The server took too long to answer.", { retry: true }));
    request.onabort = () => reject(cancelled());
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
