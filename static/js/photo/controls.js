// How many tags, ranked how, in which language, suggested from where: for all photos
// of the page, kept in its address.

const part = (id) => document.getElementById(id);
const RANKINGS = [...part("ranking").options].map((option) => option.value);
const COUNTS = ["5", "10", "20", "0"]; // 0 is all
const SETTLE_MS = 150; // a slider moves in many small steps

// The threshold "" is the model's own, the language "" its own words.
const plain = { k: "10", ranking: "calibrated", threshold: "", language: "" };
const chosen = { ...plain };

/** What to ask the API for; `figures` is "", "wide" or "narrow". */
export function query(figures = "") {
  const asked = new URLSearchParams({ k: chosen.k, ranking: chosen.ranking });
  if (chosen.threshold) asked.set("threshold", chosen.threshold);
  if (figures) {
    asked.set("figures", figures);
    asked.set("because", "6");
  }
  if (chosen.language) asked.set("language", chosen.language);
  return asked.toString();
}

/** How many tags the result will have room for. */
export const expectedTags = () => Number(chosen.k) || 20;

/** Call back when something else is asked for. */
export function listenToControls(changed) {
  read();
  show();
  let timer;
  const settle = () => {
    write();
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  };
  part("controls").addEventListener("change", ({ target }) => {
    if (target.name === "k") chosen.k = target.value;
    else if (target === part("ranking")) chosen.ranking = target.value;
    else if (target === part("language")) chosen.language = own(target.value);
    else return;
    settle();
  });
  for (const field of [part("threshold"), part("threshold-number")]) {
    field.addEventListener("input", () => {
      if (!field.checkValidity() || field.value === "") return;
      chosen.threshold = String(Number(field.value) / 100);
      show(field);
      settle();
    });
  }
  part("threshold-number").addEventListener("change", () => show());
  part("threshold-reset").addEventListener("click", () => {
    chosen.threshold = "";
    show();
    part("threshold").focus();
    settle();
  });
}

const ENGLISH = "en"; // what the model's own words are
const own = (language) => (language === ENGLISH ? "" : language);

let modelThreshold = part("threshold").value; // in percent

/** Show what an answer used, where the person chose nothing. */
export function showThreshold(threshold) {
  if (chosen.threshold) return;
  modelThreshold = String(Math.round(100 * threshold));
  show();
}

/** All fields but the one that is being typed into. */
function show(typing) {
  for (const radio of part("controls").querySelectorAll("[name=k]")) {
    radio.checked = radio.value === chosen.k;
  }
  part("ranking").value = chosen.ranking;
  part("language").value = chosen.language || ENGLISH;
  const value = chosen.threshold ? String(Math.round(100 * chosen.threshold)) : modelThreshold;
  for (const field of [part("threshold"), part("threshold-number")]) {
    if (field !== typing) field.value = value;
  }
  part("threshold").style.setProperty("--share", `${value || 0}%`);
  part("threshold-reset").classList.toggle("unused", !chosen.threshold);
  part("threshold-reset").disabled = !chosen.threshold;
}

function read() {
  const given = new URLSearchParams(location.search);
  const threshold = Number(given.get("threshold") ?? Number.NaN);
  if (COUNTS.includes(given.get("k"))) chosen.k = given.get("k");
  if (RANKINGS.includes(given.get("ranking"))) chosen.ranking = given.get("ranking");
  if (threshold >= 0 && threshold <= 1) chosen.threshold = String(threshold);
  const languages = [...part("language").options].map((option) => option.value);
  if (languages.includes(given.get("language"))) chosen.language = own(given.get("language"));
}

function write() {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(chosen)) {
    if (value === plain[name]) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  history.replaceState(null, "", address);
}
