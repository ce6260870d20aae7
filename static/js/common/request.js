// What can go wrong with a request, in the same words for every page.

/**
 * Why there is no answer. `hold` names what all photos must wait for ("busy",
 * "limited", "lost", "offline", "token"), and is empty when the photo itself is at fault.
 */
export class ApiError extends Error {
  constructor(message, { code = "", retry = false, hold = "", seconds = 0 } = {}) {
    super(message);
    Object.assign(this, { code, retry, hold, seconds });
  }
}

const CANCELLED = "cancelled";
export const isCancelled = (error) => error.code === CANCELLED;

export const cancelled = () => new ApiError("", { code: CANCELLED });

const HOLDS = { 401: "token", 429: "limited", 503: "busy" };

/** What a status other than 200 says; wait: the header Retry-After. */
export const refused = (status, said, wait) =>
  new ApiError(said?.message ?? `The server answered ${status}.`, {
    retry: status >= 500,
    code: said?.code,
    hold: HOLDS[status] ?? "",
    seconds: Number.parseInt(wait, 10) || 2,
  });

export const unreachable = () =>
  new ApiError("The server cannot be reached.", {
    hold: navigator.onLine === false ? "offline" : "lost",
  });
