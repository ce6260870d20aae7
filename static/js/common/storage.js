// Texts that the browser keeps by name, in localStorage or sessionStorage.

/** One of them: null until it is set. Where keeping is forbidden, it lasts as long as the page. */
export function kept(name, area) {
  let here = null;
  return {
    get() {
      try {
        return window[area].getItem(name) ?? here;
      } catch {
        return here;
      }
    },
    set(text) {
      here = text;
      try {
        window[area].setItem(name, text);
      } catch {
        // kept here, then
      }
    },
  };
}
