// What the keys of the rating page do that are no buttons (common/keys.js has the table).

import { listenToKeys } from "../common/keys.js";

const NEXT = { "": "yes", yes: "no", no: "" };
const WORDS = { "": "unsaid", yes: "yes", no: "no" };

export function listenToRateKeys({ sender, say }) {
  /** Unsaid, yes, no, unsaid; not while the next tags are on their way. */
  function mark({ key: rank }) {
    const choices = [...document.querySelectorAll(`[name=tag-${rank}]`)];
    if (!choices.length || sender.isBusy) return false;
    const value = NEXT[choices.find((choice) => choice.checked)?.value ?? ""];
    choices.find((choice) => choice.value === value).checked = true;
    const tag = document.getElementById(`tag-name-${rank}`).textContent;
    return say(`${tag}: ${WORDS[value]}.`);
  }

  function blur({ target }) {
    target.blur();
    return false; // Enter and Escape stay what they are
  }

  listenToKeys("rate", { mark, blur });
}
