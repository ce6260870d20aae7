// Sends one answer at a time and keeps it until the server has acknowledged it.

import { Hold } from "../common/hold.js";
import { TaskQueue } from "../common/queue.js";
import { requestJson } from "../common/request.js";

const RETRY_S = [1, 2, 5, 10, 20];
const LOST = "Your last answer is not saved yet: the server cannot be reached.";

/** Tells `change`, and `answer` with what the server said; busy while an answer is kept. */
export class Sender extends TaskQueue {
  trouble = null; // { message, status, canRetry }

  constructor() {
    const lostS = (tries) => RETRY_S[Math.min(tries, RETRY_S.length - 1)];
    super(new Hold({ lostS, maxTries: Infinity }));
    this.hold.addEventListener("release", () => this.wake());
  }

  /** Send a form as it is now; while an answer is kept, others are not taken. */
  send(form, submitter) {
    if (this.isBusy) return;
    const fields = new URLSearchParams(new FormData(form, submitter));
    this.add({ url: submitter?.getAttribute("formaction") ?? form.action, fields });
    this.#tell();
  }

  /** Send what is kept once more. */
  again() {
    this.hold.release();
  }

  async work({ url, fields }) {
    const answer = await requestJson(url, { body: fields });
    this.trouble = null;
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  /** What the server refused is shown; what it did not hear is sent again. */
  holdOf({ status }) {
    return !status || status >= 500 || status === 429 ? "lost" : "";
  }

  interrupted(_, { status, message }) {
    this.trouble = { status, message: status ? message : LOST, canRetry: true };
    this.#tell();
  }

  refused(_, { status, message }) {
    this.trouble = { status, message };
    if (status === 409) location.reload(); // judged elsewhere: show what is next
  }

  ended() {
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
