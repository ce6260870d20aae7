// The dialog that writes tags into files: first what would change, then yes, then undo.

import { counted } from "../common/words.js";
import { undoWriting, writeTags } from "./api.js";

const part = (id) => document.getElementById(id);
const dialog = part("writing");
const chosen = (name) => dialog.querySelector(`[name=${name}]:checked`).value;

/** selection: the photos that are chosen together. settled(): resolves when every step is stored; changed(): files were written or restored. */
export function listenToWriting({ photos, selection, settled, changed, say }) {
  let run = null; // the last one of this page; null: the last one of all
  let trial = null; // aborts the dry run on its way
  let total = 0;

  const which = {
    all: () => null,
    chosen: () => selection.targets.map((photo) => photo.id),
    one: () => [photos.current.id],
  };
  const request = (dryRun) => ({
    photos: which[chosen("which")](),
    sidecar: chosen("where") === "sidecar",
    dry_run: dryRun,
  });

  part("ask-write").addEventListener("click", () => {
    if (!photos.current) return say("There are no photos yet.");
    offerChosen(selection.size);
    dialog.showModal();
    look();
  });
  for (const name of ["where", "which"]) {
    for (const radio of dialog.querySelectorAll(`[name=${name}]`)) {
      radio.addEventListener("change", look);
    }
  }

  /** The dry run: what each file would get. */
  async function look() {
    trial?.abort();
    trial = new AbortController();
    const { signal } = trial;
    const list = begin("Looking at the files…");
    let ready = 0;
    const tell = (line) => {
      if (signal.aborted) return;
      list.add(line);
      if (!line.error && line.added.length) ready += 1;
    };
    try {
      await settled();
      if (signal.aborted) return;
      await writeTags(request(true), tell, signal);
    } catch (error) {
      if (!signal.aborted) fail(error);
      return;
    }
    total = ready;
    part("write-go").textContent = ready ? `Write ${counted(ready, "file")}` : "Write";
    part("write-go").disabled = !ready;
    end(ready ? `${counted(ready, "file")} would change. Nothing is written yet.` : NOTHING);
    // somebody who chose where or which stays there
    if ([document.body, dialog, part("writing-title")].includes(document.activeElement)) focusFirst();
  }

  part("write-go").addEventListener("click", async () => {
    const list = begin("Writing…", total);
    await attempt(async () => {
      const sum = await writeTags(request(false), list.add);
      run = sum.run;
      end(sumOf(sum, "written"));
    });
  });
  part("write-undo").addEventListener("click", async () => {
    const list = begin("Undoing…");
    await attempt(async () => {
      const sum = await undoWriting(run, list.add);
      run = null;
      end(sumOf(sum, "restored"));
    });
  });

  /** Something that changes files: the dialog stays until it is over. */
  async function attempt(work) {
    trial?.abort();
    lock(true);
    try {
      await work();
    } catch (error) {
      fail(error);
    } finally {
      lock(false);
      part("write-go").disabled = true; // look again first
      part("writing-close").focus();
      await changed();
    }
  }

  function lock(isLocked) {
    dialog.classList.toggle("busy", isLocked);
    for (const control of dialog.querySelectorAll("button, input")) control.disabled = isLocked;
  }

  function end(words) {
    part("writing-bar").hidden = true;
    part("writing-said").textContent = words;
    say(words);
  }

  function fail(error) {
    part("write-go").disabled = true;
    part("writing-bar").hidden = true;
    part("writing-said").textContent = "";
    part("writing-error").textContent = error.message;
    part("writing-error").hidden = false;
  }

  dialog.addEventListener("cancel", (event) => {
    if (dialog.classList.contains("busy")) event.preventDefault();
  });
  dialog.addEventListener("close", () => trial?.abort());
  part("writing-close").addEventListener("click", () => dialog.close());
}

const NOTHING = "Nothing to write: every tag is in its file, or no tag is accepted yet.";

/** Empty the list; returns what adds a line and counts. */
function begin(words, total = 0) {
  part("writing-lines").replaceChildren();
  part("writing-error").hidden = true;
  part("write-go").disabled = true;
  part("writing-said").textContent = words;
  const bar = part("writing-bar");
  bar.hidden = false;
  if (total) Object.assign(bar, { max: total, value: 0 });
  else bar.removeAttribute("value");
  const add = (line) => {
    part("writing-lines").append(lineOf(line));
    if (total) bar.value = part("writing-lines").children.length;
  };
  return { add };
}

function lineOf({ name, status, added = [], notes = [], error }) {
  const item = part("writing-line").content.firstElementChild.cloneNode(true);
  item.classList.toggle("failed", Boolean(error));
  item.querySelector(".name").textContent = name;
  item.querySelector(".status").textContent = status;
  const sign = status === "restored" ? "\u2212" : "+";
  item.querySelector(".added").textContent = added.map((tag) => `${sign}${tag}`).join("  ");
  item.querySelector(".notes").textContent = [error?.message, ...notes].filter(Boolean).join(" ");
  return item;
}

function sumOf({ n_written: n, n_failed: failed }, word) {
  const bad = failed ? ` ${counted(failed, "file")} failed; the list says why.` : "";
  return `${counted(n, "file")} ${word}.${bad}`;
}

/** Who has chosen photos most likely means those. */
function offerChosen(n) {
  const option = dialog.querySelector("[name=which][value=chosen]");
  option.closest("label").hidden = !n;
  part("write-chosen").textContent = n === 1 ? "The chosen photo" : `The ${n} chosen photos`;
  if (n) option.checked = true;
  else if (option.checked) dialog.querySelector("[name=which][value=all]").checked = true;
}

function focusFirst() {
  const go = part("write-go");
  (go.disabled ? part("writing-close") : go).focus();
}
