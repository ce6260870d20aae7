// How far an arrow key goes in a grid of elements, as it is laid out now.

const STEPS = {
  ArrowRight: () => 1,
  ArrowLeft: () => -1,
  ArrowDown: (items) => columns(items),
  ArrowUp: (items) => -columns(items),
  Home: (items, place) => -place,
  End: (items, place) => items.length - 1 - place,
};

/** Elements in the first row. */
function columns(items) {
  const top = items[0].offsetTop;
  const next = items.findIndex((item) => item.offsetTop > top);
  return next < 0 ? items.length : next;
}

/** The step from a place that a key asks for, or null when it is no such key. */
export function stepInGrid(items, place, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
  return STEPS[event.key]?.(items, place) ?? null;
}
