// The arrow keys go from photo to photo in the grid; one of them takes the Tab key.

import { stepInGrid } from "../common/grid.js";

const grid = document.getElementById("found");
const photos = [...(grid?.querySelectorAll("figure") ?? [])];

grid?.addEventListener("keydown", (event) => {
  const place = photos.indexOf(document.activeElement);
  const step = place < 0 ? null : stepInGrid(photos, place, event);
  if (step === null) return;
  const next = photos[place + step];
  event.preventDefault();
  if (!next) return;
  photos[place].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
