// Sends one answer at a time and keeps it until the server has acknowledged it.

const RETRY_S = [1, 2, 5, 10, 20];
const LOST = "Your last answer is not saved yet: the server cannot be reached.";

export class Sender extends EventTarget {
  busy = false;
  trouble = null; // { message, status, canRetry }
  #kept = null; // what is to be sent again, with the same token
  #tries = 0;
  #timer = 0;

  /** Send a form as it is now; while one is on its way, others are not taken. */
  send(form, submitter) {
    if (this.busy || this.trouble?.canRetry) return;
    const fields = new URLSearchParams(new FormData(form, submitter));
    this.#kept = { url: submitter?.getAttribute("formaction") ?? form.action, fields };
    this.#tries = 0;
    this.#post();
  }

  /** Send what is kept once more. */
  again() {
    if (this.#kept && !this.busy) this.#post();
  }

  async #post() {
    clearTimeout(this.#timer);
    this.#set(true, this.trouble);
    let response;
    try {
      response = await fetch(this.#kept.url, {
        method: "POST",
        body: this.#kept.fields,
        headers: { Accept: "application/json" },
      });
      const body = await response.json();
      if (!response.ok) throw new Error(body.error.message);
      this.#kept = null;
      this.#set(false, null);
      this.dispatchEvent(new CustomEvent("answer", { detail: body }));
    } catch (error) {
      this.#fail(response, error);
    }
  }

  /** What the server refused is shown; what it did not hear is sent again. */
  #fail(response, error) {
    const status = response?.status ?? 0;
    const canRetry = !status || status >= 500 || status === 429;
    if (!canRetry) this.#kept = null;
    const message = status ? error.message : LOST;
    this.#set(false, { message, status, canRetry });
    if (status === 409) location.reload(); // judged elsewhere: show what is next
    if (!canRetry) return;
    const pause = RETRY_S[Math.min(this.#tries, RETRY_S.length - 1)];
    this.#tries += 1;
    this.#timer = setTimeout(() => this.again(), 1000 * pause);
  }

  #set(busy, trouble) {
    this.busy = busy;
    this.trouble = trouble;
    this.dispatchEvent(new Event("change"));
  }
}
