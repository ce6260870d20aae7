// A tag under the pointer or the keyboard's focus is marked wherever it is shown.

const painters = new Set();
let marked = null;

/** Call back with the marked tag, or null, whenever another one is. */
export const onMark = (paint) => painters.add(paint);

export function mark(tag) {
  if (tag === marked) return;
  marked = tag;
  repaint();
}

/** After something was drawn anew. */
export function repaint() {
  for (const paint of painters) paint(marked);
}

/** Elements with data-tag in the box mark their tag, and are marked with it. */
export function linkElements(box) {
  const tagOf = (event) => event.target.closest?.("[data-tag]")?.dataset.tag ?? null;
  box.addEventListener("pointerover", (event) => mark(tagOf(event)));
  box.addEventListener("pointerleave", () => mark(null));
  box.addEventListener("focusin", (event) => mark(tagOf(event)));
  box.addEventListener("focusout", () => mark(null));
  onMark((tag) => {
    for (const element of box.querySelectorAll("[data-tag]")) {
      element.classList.toggle("marked", element.dataset.tag === tag);
    }
  });
}
