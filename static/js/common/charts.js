// Draws the API's Plotly figures in the page's colours, light or dark.

const page = document.querySelector("[data-plotly]");
const palette = JSON.parse(page.dataset.palette); // role -> the figures' colour
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // element -> how to draw it again

/** How figures' labels are placed: for a phone or not. */
export const width = () => (window.innerWidth < 560 ? "narrow" : "wide");

let plotly;

/** Load Plotly once; the first photo should not wait for it. */
export function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = page.dataset.plotly;
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

/** Draw a figure into an element; `layout` goes before the figure's own. */
export async function draw(element, figure, layout = {}, config = {}) {
  const Plotly = await loadPlotly();
  drawn.set(element, { figure, layout, config });
  const themed = inTheme(figure);
  await Plotly.react(
    element,
    themed.data,
    { ...themed.layout, ...layout },
    { responsive: true, displayModeBar: false, ...config },
  );
  return element;
}

/** A drawn figure as a PNG's data address, on the page's own ground. */
export async function toPng(element) {
  const Plotly = await loadPlotly();
  const { data, layout, clientWidth, clientHeight } = element;
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--card");
  return Plotly.toImage(
    { data, layout: { ...layout, paper_bgcolor: ground.trim() } },
    { format: "png", width: clientWidth, height: clientHeight, scale: 2 },
  );
}

/** Copy a figure with every colour of the neutral palette replaced by the theme's. */
function inTheme(figure) {
  const style = getComputedStyle(document.documentElement);
  const colors = new Map(
    Object.entries(palette).map(([role, color]) => [
      color,
      style.getPropertyValue(`--chart-${role}`).trim() || color,
    ]),
  );
  return JSON.parse(JSON.stringify(figure), (_, value) => colors.get(value) ?? value);
}

dark.addEventListener("change", () => {
  for (const [element, { figure, layout, config }] of drawn) {
    if (element.clientWidth) draw(element, figure, layout, config);
  }
});
