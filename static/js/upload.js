// One photo to the API and its answer back. XMLHttpRequest, because fetch does
// not tell how much of the photo has been sent.

export class UploadError extends Error {
  constructor(message, { retry = false, code = "" } = {}) {
    super(message);
    this.retry = retry;
    this.code = code;
  }
}

const CANCELLED = "cancelled";

/** Send a photo; resolves to the API's object, rejects with an UploadError. */
export function suggest(address, photo, { narrow, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${address}?k=10&figures=${narrow ? "narrow" : "wide"}`);
    request.responseType = "json";
    request.timeout = 120_000;
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(refusal(request));
    };
    request.onerror = () => reject(new UploadError(lost(), { retry: true }));
    request.ontimeout = () =>
      reject(new UploadError("The server took too long to answer.", { retry: true }));
    request.onabort = () => reject(new UploadError("", { code: CANCELLED }));
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("photo", photo, photo.name || "photo");
    request.send(form);
  });
}

export const isCancelled = (error) => error.code === CANCELLED;

function refusal(request) {
  const said = request.response?.error;
  return new UploadError(said?.message ?? `The server answered ${request.status}.`, {
    retry: request.status >= 500,
    code: said?.code,
  });
}

function lost() {
  return navigator.onLine === false
    ? "You are offline. The photo is still here; try again when you are connected."
    : "The server could not be reached.";
}
