// Numbers in words.

/** The same words as lablr.figures.map_layout.percent. */
export function percent(probability) {
  if (probability > 0 && probability < 0.01) return "< 1 %";
  return `${Math.min(Math.round(100 * probability), probability < 1 ? 99 : 100)} %`;
}

export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export const mebibytes = (bytes) => (bytes / 1024 / 1024).toFixed(1);
