// The rating page: forms go out as they are, the next question comes in. Only wires.

import { listenToRateKeys } from "./keys.js";
import { Sender } from "./sender.js";

const part = (id) => document.getElementById(id);

const sender = new Sender();

/** The browser has the next photo before it is asked for. */
function prefetch() {
  const { ahead } = part("question").querySelector(".how-far").dataset;
  if (ahead) new Image().src = ahead;
}

const say = (text) => (part("said").textContent = text);

/** The tags in words, for those who cannot see that they changed. */
function spokenTags() {
  const tags = [...document.querySelectorAll(".tags li")].map(
    (row) => `${row.querySelector(".name").textContent} ${row.querySelector(".share").textContent}`,
  );
  return tags.length ? ` Next: ${tags.join(", ")}.` : " No photo is left.";
}

function listenToPhoto() {
  const photo = part("judged-photo");
  if (!photo) return;
  const missing = () => (part("no-photo").hidden = false);
  photo.addEventListener("error", missing);
  photo.addEventListener("load", () => (part("no-photo").hidden = true));
  if (photo.complete && !photo.naturalWidth) missing();
  part("photo-again").addEventListener("click", () => (photo.src = photo.src));
}

function show({ html, said }) {
  const focused = document.activeElement?.id;
  part("question").innerHTML = html;
  if (focused) (part(focused) ?? part("main")).focus({ preventScroll: true });
  listenToPhoto();
  say(said + spokenTags());
  // a reload serves what is next, not what was asked for once
  const address = new URL(location.href);
  address.searchParams.delete("photo");
  history.replaceState(null, "", address);
  prefetch();
}

part("question").addEventListener("submit", (event) => {
  event.preventDefault();
  sender.send(event.target, event.submitter);
});
part("question").addEventListener("click", (event) => {
  if (event.target.closest("#ask-help")) part("help").showModal();
});
part("trouble-again").addEventListener("click", () => sender.again());

sender.addEventListener("change", () => {
  const { trouble, isBusy } = sender;
  part("question").classList.toggle("saving-answer", isBusy);
  part("trouble").hidden = !trouble;
  part("trouble-message").textContent = trouble?.message ?? "";
  part("trouble-again").hidden = !trouble?.canRetry;
  part("trouble-sign-in").hidden = trouble?.status !== 401;
});
sender.addEventListener("answer", ({ detail }) => show(detail));
addEventListener("online", () => sender.again());

listenToRateKeys({ sender, say });
listenToPhoto();
prefetch();
