// The card of maps: tabs, zoom, full screen, a picture to keep.

import { draw, loadPlotly, toPng } from "../common/charts.js";
import { mark, onMark, repaint } from "./links.js";

const part = (id) => document.getElementById(id);
const card = part("maps");
const tabs = [part("tab-map"), part("tab-photos")];
const plots = { "panel-map": part("map"), "panel-photos": part("dots") };
const ZOOM = 1.5;
const STEP = 0.15; // of the width, with the arrow keys

let shown = null; // { figures, photo }
let zoomed = false;

const chosenTab = () => tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
const plot = () => plots[chosenTab().getAttribute("aria-controls")];

/** Draw the map in sight; the hidden one has no width to draw for. */
export async function drawMaps(photo = shown?.photo) {
  if (!photo?.answer?.figures) return;
  if (shown?.photo !== photo) zoomed = false;
  shown = { photo, figures: photo.answer.figures };
  const element = plot();
  const { latent_map: tags, training_photos: dots } = shown.figures;
  const figure = element === part("map") ? tags : dots;
  const layout = zoomed ? view(element) : {};
  if (isFull()) Object.assign(layout, { height: element.clientHeight || undefined });
  await draw(element, figure, layout, { scrollZoom: isFull() });
  await setDrag();
  repaint();
}

// ------------------------------------------------------------------------- zooming

const axes = (element) => [element._fullLayout.xaxis, element._fullLayout.yaxis];

/** The axes as they stand, to be kept when the same photo is drawn again. */
function view(element) {
  const { xaxis, yaxis } = element.layout ?? {};
  if (!element._fullLayout) return {};
  const [x, y] = axes(element);
  return { xaxis: { ...xaxis, range: [...x.range] }, yaxis: { ...yaxis, range: [...y.range] } };
}

async function setView(change) {
  const element = plot();
  if (!element._fullLayout?.xaxis) return;
  const Plotly = await loadPlotly();
  const [x, y] = axes(element).map((axis, index) => change(axis.range, index));
  zoomed = true;
  await Plotly.relayout(element, { "xaxis.range": x, "yaxis.range": y, dragmode: "pan" });
  repaint();
}

const zoom = (factor) =>
  setView(([low, high]) => {
    const [middle, half] = [(low + high) / 2, (high - low) / 2 / factor];
    return [middle - half, middle + half];
  });

const pan = (...steps) =>
  setView(([low, high], index) => {
    const step = steps[index] * STEP * (high - low);
    return [low + step, high + step];
  });

function reset() {
  zoomed = false;
  return drawMaps();
}

/** Dragging moves the map when it is zoomed; else a swipe scrolls the page. */
async function setDrag() {
  const Plotly = await loadPlotly();
  const dragmode = zoomed || isFull() ? "pan" : false;
  if (plot()._fullLayout.dragmode !== dragmode) await Plotly.relayout(plot(), { dragmode });
}

const KEYS = {
  "+": () => zoom(ZOOM),
  "=": () => zoom(ZOOM),
  "-": () => zoom(1 / ZOOM),
  0: reset,
  ArrowLeft: () => pan(-1, 0),
  ArrowRight: () => pan(1, 0),
  ArrowUp: () => pan(0, 1),
  ArrowDown: () => pan(0, -1),
};

// --------------------------------------------------------------------- full screen

const isFull = () => card.classList.contains("full");

async function toggleFull() {
  if (isFull()) return document.fullscreenElement ? document.exitFullscreen() : setFull(false);
  try {
    await card.requestFullscreen();
  } catch {
    setFull(true); // iPhones know no full screen: cover the page instead
  }
}

function setFull(full) {
  card.classList.toggle("full", full);
  part("map-full").setAttribute("aria-pressed", String(full));
  if (!document.fullscreenElement) shutOthers(full);
  return drawMaps();
}

/** What lies under the cover cannot be reached. */
function shutOthers(shut) {
  document.documentElement.classList.toggle("covered", shut);
  for (let box = card; box !== document.body; box = box.parentElement) {
    for (const sibling of box.parentElement.children) {
      if (sibling !== box) sibling.inert = shut;
    }
  }
}

// -------------------------------------------------------------------------- tabs

function select(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    part(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  zoomed = false;
}

function neighbour(tab, key) {
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (key === "Home") return tabs[0];
  if (key === "End") return tabs.at(-1);
  if (key in steps) return tabs[(tabs.indexOf(tab) + steps[key] + tabs.length) % tabs.length];
  return null;
}

// ----------------------------------------------------------------- what is marked

/** The smallest circle under the pointer. */
function circleAt(event) {
  const box = part("map").querySelector(".nsewdrag")?.getBoundingClientRect();
  if (!box) return null;
  const [xs, ys] = axes(part("map")).map((axis) => axis.range);
  const x = xs[0] + ((event.clientX - box.left) / box.width) * (xs[1] - xs[0]);
  const y = ys[1] + ((event.clientY - box.top) / box.height) * (ys[0] - ys[1]);
  let [nearest, least] = [null, 1];
  for (const { x0, x1, y0, y1, name } of part("map").layout.shapes) {
    const away = Math.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2) / ((x1 - x0) / 2);
    if (away < least) [nearest, least] = [name, away];
  }
  return nearest;
}

onMark((tag) => {
  const { shapes = [] } = part("map").layout ?? {};
  for (const path of part("map").querySelectorAll(".shapelayer path")) {
    path.classList.toggle("marked", shapes[path.dataset.index]?.name === tag);
  }
  // shapes lie in the reverse order of their names
  for (const name of part("map").querySelectorAll(".annotation")) {
    const shape = shapes[shapes.length - 1 - name.dataset.index];
    name.classList.toggle("marked", Boolean(tag) && shape?.name === tag);
  }
  const traces = part("dots").data ?? [];
  const found = Boolean(tag) && traces.some((trace) => trace.meta === tag);
  part("dots").classList.toggle("marking", found);
  part("dots").querySelectorAll(".scatterlayer .trace").forEach((trace, index) => {
    trace.classList.toggle("marked", Boolean(tag) && traces[index]?.meta === tag);
  });
});

/** Marks by Plotly's own hovering; once a plot is drawn it can be listened to. */
export function listenToHover(element, tagOf) {
  if (element.dataset.heard) return;
  element.dataset.heard = "yes";
  element.on("plotly_hover", ({ points }) => mark(tagOf(points[0])));
  element.on("plotly_unhover", () => mark(null));
}

// ---------------------------------------------------------------------- listening

/** name: () -> what to call the picture. */
export function listenToMaps({ name, drawn }) {
  const redraw = (change) => Promise.resolve(change()).then(() => drawMaps()).catch(drawn);
  for (const tab of tabs) {
    tab.addEventListener("click", () => redraw(() => select(tab)));
    tab.addEventListener("keydown", (event) => {
      const target = neighbour(tab, event.key);
      if (!target) return;
      event.preventDefault();
      target.focus();
      redraw(() => select(target));
    });
  }
  part("map-in").addEventListener("click", () => zoom(ZOOM));
  part("map-out").addEventListener("click", () => zoom(1 / ZOOM));
  part("map-reset").addEventListener("click", reset);
  part("map-full").addEventListener("click", toggleFull);
  part("map-save").addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = await toPng(plot());
    link.download = `${name()}-map.png`;
    link.click();
  });
  for (const element of Object.values(plots)) {
    element.addEventListener("keydown", (event) => {
      if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      KEYS[event.key]();
    });
  }
  part("map").addEventListener("pointermove", (event) => mark(circleAt(event)));
  part("map").addEventListener("pointerleave", () => mark(null));
  document.addEventListener("fullscreenchange", () =>
    setFull(document.fullscreenElement === card),
  );
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isFull() && !document.fullscreenElement) setFull(false);
  });
  addEventListener("resize", () => isFull() && drawMaps());
}
