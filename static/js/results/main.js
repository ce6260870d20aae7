// The results page: the threshold answers at once, the curves show it, tables sort.

import { draw } from "../common/charts.js";
import { requestJson } from "../common/request.js";

const part = (id) => document.getElementById(id);
const percent = (share) => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`);

let figures;

/** What a threshold accepts: the server counted it for every thousandth. */
function showThreshold(threshold) {
  const step = Math.min(1000, Math.max(0, Math.round(1000 * threshold)));
  showAccepted(...figures.effects[step]);
}

/** So many right and wrong tags are accepted. */
function showAccepted(right, wrong) {
  const { n_right, n_wrong } = figures;
  part("accepted").textContent = right + wrong;
  part("rejected").textContent = n_right + n_wrong - right - wrong;
  part("precision").textContent = percent(right / (right + wrong));
  part("recall").textContent = percent(right / n_right);
  mark("roc", wrong / n_wrong, right / n_right);
  mark("precision_recall", right / n_right, right / (right + wrong));
}

function mark(name, x, y) {
  const trace = figures[name].data.at(-1);
  const known = Number.isFinite(x) && Number.isFinite(y);
  Object.assign(trace, { x: known ? [x] : [], y: known ? [y] : [] });
  draw(part(name), figures[name]).catch(doWithoutCharts);
}

function doWithoutCharts() {
  document.querySelector(".charts-missing").hidden = false;
  document.querySelector(".plots").hidden = true;
}

function listenToThreshold() {
  const [range, number] = [part("threshold-range"), part("threshold")];
  const place = (value) => {
    range.value = value;
    number.value = Number(value).toFixed(3);
  };
  range.addEventListener("input", () => {
    place(range.value);
    showThreshold(Number(range.value));
  });
  number.addEventListener("input", () => {
    if (number.value === "" || !number.validity.valid) return;
    range.value = number.value;
    showThreshold(Number(number.value));
  });
  number.form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-threshold]")) {
    const { threshold, right, wrong } = button.dataset;
    button.addEventListener("click", () => {
      place(threshold);
      // of the threshold itself, which lies between two thousandths
      showAccepted(Number(right), Number(wrong));
    });
  }
}

const byText = (a, b) => a.localeCompare(b);
const byNumber = (a, b) => a - b;

function listenToSorting() {
  const heads = [...document.querySelectorAll("#tags thead th")];
  const body = document.querySelector("#tags tbody");
  heads.forEach((head, column) => {
    head.querySelector(".sort").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") !== "descending" && (column > 0 || head.hasAttribute("aria-sort"));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const value = (row) => row.children[column].dataset.value;
      const compare = column === 0 ? byText : byNumber;
      const rows = [...body.rows].sort((a, b) => compare(value(a), value(b)));
      body.append(...(falling ? rows.reverse() : rows));
    });
  });
}

listenToSorting();
figures = await requestJson(part("results").dataset.figures).catch(() => null);
if (figures) {
  listenToThreshold();
  showThreshold(Number(part("threshold").value));
} else {
  doWithoutCharts();
  part("threshold-range").disabled = true; // the field still asks the server
}
