// Shows what all photos wait for, with a countdown, buttons, or the token's field.

import { token } from "./access.js";

const part = (id) => document.getElementById(id);

const MESSAGES = {
  busy: "The server is busy.",
  limited: "This server takes only so many photos a minute.",
  lost: "The server cannot be reached.",
  offline: "You are offline. Your photos stay here and go on once you are connected.",
  token: "This server asks for a token.",
};

export function showHold(hold) {
  const { kind, reason, seconds } = hold;
  part("hold").hidden = !hold.active;
  part("hold-token").hidden = kind !== "token";
  part("hold-go").hidden = !hold.active || kind === "token";
  part("hold-go").textContent = kind === "stopped" ? "Try again" : "Try now";
  part("hold-stop").hidden = !seconds;
  const refused = kind === "token" && token.get();
  setText("hold-message", refused ? "The server did not take that token." : MESSAGES[reason] ?? "");
  // not in the live part: nobody wants to hear every second
  setText("hold-clock", seconds ? `Trying again in ${seconds}\u00a0s.` : "");
}

/** Only when it differs, so that it is announced once. */
function setText(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

export function listenToHold(hold) {
  hold.addEventListener("change", () => showHold(hold));
  part("hold-go").addEventListener("click", () => hold.release());
  part("hold-stop").addEventListener("click", () => {
    hold.stop();
    part("hold-go").focus();
  });
  part("hold-token").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(part("token").value.trim());
    hold.release();
  });
  addEventListener("offline", () => hold.begin("offline"));
  addEventListener("online", () => hold.kind === "offline" && hold.release());
  if (navigator.onLine === false) hold.begin("offline");
}
