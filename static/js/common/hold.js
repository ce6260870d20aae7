// What all photos wait for: a busy server, the network, a token. One at a time.

const TIMED = new Set(["busy", "limited", "lost"]);

/** Tells `change` whenever it begins, ticks or ends, and `release` when it ends. */
export class Hold extends EventTarget {
  kind = ""; // "", busy, limited, lost, offline, token, stopped
  reason = ""; // what it was before it was stopped
  seconds = 0; // until it ends by itself; 0 when it does not
  #tries = 0;
  #clock = 0;

  /** lostS(tries): how long to wait for a lost server. maxTries: when to wait for a person. */
  constructor({ lostS = (tries) => 2 ** (tries + 1), maxTries = 5 } = {}) {
    super();
    Object.assign(this, { lostS, maxTries });
  }

  get active() {
    return this.kind !== "";
  }

  /** Begin to wait. A second photo that meets the same wall changes nothing. */
  begin(kind, seconds = 0) {
    if (this.active && (kind === this.kind || TIMED.has(kind))) return;
    this.#stopClock();
    this.kind = this.reason = kind;
    if (TIMED.has(kind)) this.#count(kind === "lost" ? this.lostS(this.#tries) : seconds);
    this.#tell();
  }

  /** Go on: by the clock, by the network, by a person. */
  release() {
    if (!this.active) return;
    this.#stopClock();
    this.kind = "";
    this.#tell();
    this.dispatchEvent(new Event("release"));
  }

  /** Wait no longer, until a person says so. */
  stop() {
    this.#stopClock();
    this.kind = "stopped";
    this.#tries = 0;
    this.#tell();
  }

  /** An answer came: the wall is gone. */
  succeeded() {
    this.#tries = 0;
  }

  #count(seconds) {
    if (this.#tries >= this.maxTries) return this.stop();
    this.#tries += 1;
    const end = Date.now() + 1000 * seconds;
    this.seconds = seconds;
    this.#clock = setInterval(() => {
      this.seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      if (Date.now() >= end) this.release();
      else this.#tell();
    }, 250);
  }

  #stopClock() {
    clearInterval(this.#clock);
    this.seconds = 0;
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
