// What the keys of the desk do that are no buttons (common/keys.js has the table).

import { listenToKeys } from "../common/keys.js";

export function listenToDeskKeys({ photos, selection, grid, tags }) {
  /** A change of what is chosen; the focus goes with the current photo. */
  const choosing = (change) => (event) => {
    if (!photos.current || change(event) === false) return false;
    return grid.focus();
  };
  listenToKeys("desk", {
    walk: (event) => grid.walk(event),
    toGrid: () => grid.focus(),
    enterTags: () => void tags.enter(),
    goToTag: (event) => tags.go(event),
    rejectTag: (event) => tags.reject(event),
    extend: choosing(({ key }) => selection.extend(grid.beyond(key))),
    chooseAll: choosing(() => selection.all()),
    letGo: choosing(() => selection.isAny && selection.letGo()),
    // one by one: walking on to the next one must not let this one go
    choose: choosing(() => {
      selection.begin();
      selection.toggle(photos.current);
    }),
  });
}
