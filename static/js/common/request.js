// Every request to the server: the token, JSON, and why there is no answer.

import { token } from "./access.js";

/**
 * Why there is no answer. `status` is 0 when none came. `hold` names what all photos must
 * wait for ("busy", "limited", "lost", "offline", "token"), `seconds` how long; it is
 * empty when what was asked is at fault.
 */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", retry = false, hold = "", seconds = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, retry, hold, seconds });
  }
}

const HOLDS = { 401: "token", 429: "limited", 503: "busy" };

/**
 * Send a request; resolves to a response that is all right, else throws an ApiError.
 *
 * json or body: what to post. onProgress(share): how much of it is sent. timeoutMs: how
 * long to wait for the whole answer, 0 for as long as it takes. Who aborts by the signal
 * knows it, and looks at no error.
 */
export async function request(path, options = {}) {
  const response = await heard(send(path, options));
  if (response.ok) return response;
  const { status, headers } = response;
  const said = (await response.json().catch(() => null))?.error;
  throw new ApiError(said?.message ?? `The server answered ${status}.`, {
    status,
    code: said?.code,
    retry: status >= 500,
    hold: HOLDS[status] ?? "",
    seconds: Number.parseInt(headers.get("Retry-After"), 10) || 2,
  });
}

/** As `request`; resolves to the answer's JSON. */
export async function requestJson(path, options) {
  const response = await request(path, options);
  return heard(response.json());
}

/** A form with one photo. */
export function formOf(file) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  return form;
}

function send(path, { json, body = json && JSON.stringify(json), signal, onProgress, timeoutMs = 0 }) {
  const headers = { Accept: "application/json" }; // for errors, whatever is asked for
  if (json) headers["Content-Type"] = "application/json";
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (timeoutMs) signal = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const given = { method: body ? "POST" : "GET", headers, body, signal };
  return onProgress ? upload(path, given, onProgress) : fetch(path, given);
}

/** As fetch, which does not tell how much has been sent. */
function upload(path, { method, headers, body, signal }, onProgress) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const sending = new XMLHttpRequest();
    sending.open(method, path);
    sending.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) sending.setRequestHeader(name, value);
    sending.upload.onprogress = ({ lengthComputable, loaded, total }) => {
      if (lengthComputable) onProgress(loaded / total);
    };
    sending.onload = () => {
      const { response, status } = sending;
      const wait = sending.getResponseHeader("Retry-After") ?? "";
      resolve(new Response(response, { status, headers: { "Retry-After": wait } }));
    };
    sending.onerror = () => reject(new TypeError("no answer"));
    sending.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => sending.abort());
    sending.send(body);
  });
}

/** What was sent or received, or an ApiError where nothing was. */
async function heard(sent) {
  try {
    return await sent;
  } catch (error) {
    if (error.name === "TimeoutError") {
      throw new ApiError("The server took too long to answer.", { retry: true });
    }
    const hold = navigator.onLine === false ? "offline" : "lost";
    throw new ApiError("The server cannot be reached.", { hold });
  }
}
