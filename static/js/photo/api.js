// The JSON API: a photo to tags, a latent to tags ranked otherwise, tags explained.

import { formOf, requestJson } from "../common/request.js";

const { api, explanations, rankings } = document.getElementById("photo-page").dataset;

const ask = (path, options) => requestJson(path, { timeoutMs: 120_000, ...options });

/** Send a photo; resolves to the API's object with its latent. */
export const suggest = (file, query, options) =>
  ask(`${api}?${query}&latent=1`, { body: formOf(file), ...options });

/** Rank a photo again by the latent of its first answer. */
export const rank = ({ latent, features }, query, signal) =>
  ask(`${rankings}?${query}`, { json: { latent, features }, signal });

/** Why a photo got some tags, with where in it they were seen. */
export function explain(file, tags, signal) {
  const query = new URLSearchParams({ tag: tags.join(","), saliency: "1" });
  return ask(`${explanations}?${query}`, { body: formOf(file), signal });
}
