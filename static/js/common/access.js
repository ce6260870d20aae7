// The token of a server that asks for one: kept until the tab is closed.

const NAME = "lablr-token";
let kept = "";

export const token = {
  get() {
    try {
      return sessionStorage.getItem(NAME) ?? kept;
    } catch {
      return kept; // a browser that keeps nothing
    }
  },
  set(value) {
    kept = value;
    try {
      sessionStorage.setItem(NAME, value);
    } catch {
      // kept in memory, then
    }
  },
};
