// The arrow keys go from photo to photo in the grid; one of them takes the Tab key.

const grid = document.getElementById("found");
const photos = [...(grid?.querySelectorAll("figure") ?? [])];

/** Photos in a row of the grid as it is laid out now. */
function columns() {
  const top = photos[0].offsetTop;
  const next = photos.findIndex((photo) => photo.offsetTop > top);
  return next < 0 ? photos.length : next;
}

const steps = {
  ArrowRight: () => 1,
  ArrowLeft: () => -1,
  ArrowDown: columns,
  ArrowUp: () => -columns(),
  Home: (place) => -place,
  End: (place) => photos.length - 1 - place,
};

grid?.addEventListener("keydown", (event) => {
  const place = photos.indexOf(document.activeElement);
  const step = steps[event.key];
  if (place < 0 || !step || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = photos[place + step(place)];
  event.preventDefault();
  if (!next) return;
  photos[place].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
