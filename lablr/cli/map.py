"""``lablr map``: the latent map as a picture or as a page."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.options import bundle_option, ending_in, path_option
from lablr.system.cpu import use_one_blas_thread

if TYPE_CHECKING:
    from lablr.ranking.tagger import Suggestion, Tagger

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Latent map · Lablr</title>
<style>html, body, #map {{ height: 100%; margin: 0 }}</style>
<div id="map"></div>
<script>{plotly}</script>
<script>
const figure = {figure};
Plotly.newPlot("map", figure.data, figure.layout, {{responsive: true}});
</script>
</html>
"""


@click.command("map")
@path_option(
    "-o",
    "--out",
    is_folder=False,
    required=True,
    callback=ending_in(".png", ".html"),
    metavar="FILE",
    help="File to write: a picture (.png), or a page to zoom into (.html).",
)
@path_option(
    "--photo", help="Show where this photo falls, among its most relevant tags."
)
@bundle_option
def map_command(out: Path, photo: Path | None, bundle: Path | None) -> None:
    """Draw the plane in which the model sees tags and photos.

    A tag is a circle around the mean of its training photos, as wide as they are
    dispersed; the axes are the two principal components of the latent space, with
    their shares of its variance.

    \b
    Examples:
      lablr map --out map.png
      lablr map --photo photo.jpg --out map.html
    """
    use_one_blas_thread()
    from lablr.photos import FOLDER_LIMITS
    from lablr.ranking.tagger import Tagger
    from lablr.system.whole_file import write_bytes

    tagger = Tagger.load(bundle, FOLDER_LIMITS)
    # All tags: the map shows the most relevant ones, wherever they rank.
    suggestion = None if photo is None else tagger.suggest(photo, k=0)
    if out.suffix.lower() == ".html":
        drawn = _draw_page(tagger, suggestion)
    else:
        from lablr.figures.map_svg import draw_map_png

        drawn = draw_map_png(tagger.latent_map, tagger.tags, suggestion)
    write_bytes(out, drawn)
    click.echo(out)


def _draw_page(tagger: Tagger, suggestion: Suggestion | None) -> bytes:
    """Return an HTML file that needs no network: it contains Plotly."""
    from lablr.figures.charts import latent_map_figure

    figure = latent_map_figure(tagger.latent_map, tagger.tags, suggestion)
    script = resources.files("plotly") / "package_data" / "plotly.min.js"
    # A tag named "</script>" must end no script.
    written = json.dumps(figure, allow_nan=False).replace("<", "\\u003c")
    return PAGE.format(plotly=script.read_text("utf-8"), figure=written).encode()
