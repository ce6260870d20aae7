// "Also for photos like this one": how many, which, and yes in one step.

import { counted, percent } from "../common/words.js";
import { loadable, pictureOf, suggestionsOf } from "./api.js";

const part = (id) => document.getElementById(id);
const dialog = part("similar");

/** decide(photos, step, words): store a decision for several photos. */
export function listenToSimilar({ photos, decide, say }) {
  let [step, source] = [null, null];

  const chosen = () =>
    [...part("similar-photos").querySelectorAll("input:checked")].map((box) =>
      photos.get(Number(box.value)),
    );
  const count = () => {
    const n = chosen().length;
    part("similar-go").disabled = !n;
    part("similar-go").textContent = n ? `Also for ${counted(n, "photo")}` : "For none";
  };

  part("ask-similar").addEventListener("click", async () => {
    const photo = photos.current;
    if (!photo) return;
    step = stepOf(photo);
    if (!step) return say("Accept, type or reject a tag first; then it can go to photos like this one.");
    source = photo;
    const similar = await found(photo);
    if (!similar || photo !== photos.current) return;
    if (!similar.length) return say(nobody(photos));
    part("similar-tags").textContent = inWords(step);
    part("similar-photos").replaceChildren(...similar.map(row));
    count();
    dialog.showModal();
    part("similar-go").focus();
  });

  /** Photos that were looked at since may be like this one, too. */
  async function found(photo) {
    try {
      const { similar } = await suggestionsOf(photo.id);
      return similar.filter(({ id }) => photos.get(id));
    } catch (error) {
      say(error.message);
      return null;
    }
  }

  function row({ id, similarity }) {
    const item = part("similar-one").content.firstElementChild.cloneNode(true);
    const { name } = photos.get(id);
    item.querySelector("input").value = id;
    item.querySelector(".name").textContent = name;
    item.querySelector(".share").textContent = percent(similarity);
    loadable(pictureOf(id, 320)).then(
      (address) => (item.querySelector("img").src = address),
      () => {}, // its name stands there
    );
    return item;
  }

  part("similar-photos").addEventListener("change", count);
  part("similar-form").addEventListener("submit", () => {
    const several = chosen();
    decide(several, step, `${inWords(step)}: also ${counted(several.length, "photo")} like ${source.name}.`);
  });
  part("similar-close").addEventListener("click", () => dialog.close());
}

function stepOf(photo) {
  const step = {
    accept: photo.marked("accepted"),
    type: photo.marked("typed"),
    reject: photo.marked("rejected"),
  };
  return Object.values(step).some((tags) => tags.length) ? step : null;
}

function inWords({ accept, type, reject }) {
  const wanted = [...accept, ...type].join(", ");
  const not = reject.length ? `not ${reject.join(", ")}` : "";
  return [wanted, not].filter(Boolean).join("; ");
}

function nobody(photos) {
  const left = photos.list.filter((photo) => !photo.answer && photo.state !== "failed").length;
  const more = left ? ` ${counted(left, "photo")} not looked at yet.` : "";
  return `No other photo is enough like this one.${more}`;
}
