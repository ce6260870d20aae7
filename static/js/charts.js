// Draws the API's Plotly figures in the page's colours, light or dark.

const desk = document.getElementById("desk");
const palette = JSON.parse(desk.dataset.palette); // role -> the figures' colour
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // element -> its figure, to draw again in other colours

/** Whether labels must be placed for a phone. */
export const isNarrow = () => window.innerWidth < 560;

let plotly;

/** Load Plotly once; the first photo should not wait for it. */
export function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = desk.dataset.plotly;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotly = undefined;
      script.remove();
      reject(new Error("the charts could not be loaded"));
    };
    document.head.append(script);
  });
  return plotly;
}

/** Draw a figure into an element; `zoom` gives it Plotly's buttons. */
export async function draw(element, figure, { zoom = false } = {}) {
  const Plotly = await loadPlotly();
  drawn.set(element, { figure, zoom });
  const { data, layout } = themed(figure);
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: zoom,
    modeBarButtons: [["zoomIn2d", "zoomOut2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { filename: "lablr-map", scale: 2 },
  };
  await Plotly.react(element, data, layout, config);
}

/** Copy a figure with every colour of the neutral palette replaced by the theme's. */
function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const colors = new Map(
    Object.entries(palette).map(([role, color]) => [
      color,
      style.getPropertyValue(`--chart-${role}`).trim() || color,
    ]),
  );
  return JSON.parse(JSON.stringify(figure), (_, value) => colors.get(value) ?? value);
}

export function redraw() {
  for (const [element, { figure, zoom }] of drawn) {
    if (element.clientWidth) draw(element, figure, { zoom });
  }
}

dark.addEventListener("change", redraw);
