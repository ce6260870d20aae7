"""``lablr why``: why a photo gets a tag, or does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.messages import fail, shown
from lablr.cli.options import bundle_option, ending_in, json_option, path_option
from lablr.cli.report import progress_bar
from lablr.system.cpu import use_one_blas_thread

if TYPE_CHECKING:
    from lablr.ranking.explanation import Explanation, Typicality
    from lablr.ranking.saliency import Saliency

OVERLAY_SIDE_PX = 1024


@click.command("why")
@click.argument("photo", type=click.Path(path_type=Path))
@click.argument("tag")
@path_option(
    "--overlay",
    is_folder=False,
    callback=ending_in(".png"),
    metavar="FILE",
    help="Write the photo as a PNG, with where the tag was seen painted on it.",
)
@bundle_option
@json_option
def why_command(
    photo: Path, tag: str, overlay: Path | None, bundle: Path | None, as_json: bool
) -> None:
    """Say why PHOTO gets TAG, or why it does not.

    How typical the photo is of the tag: the share of the tag's own training photos
    that is nearer to the middle of its Gaussian. Which training photos with the tag
    are nearest to it. And where the tag was seen: the photo is encoded again with
    each part covered, which takes a second or two; --overlay paints what that takes
    from the tag, orange where it speaks for the tag and blue where against it.

    It explains the Gaussian of the tag, whatever ranking you use.

    \b
    Examples:
      lablr why photo.jpg dog
      lablr why photo.jpg "golden retriever" --overlay seen.png
      lablr why photo.jpg dog --json

    With --json, one line:

    \b
      {"photo", "tag", "squared_mahalanobis", "log_likelihood_ratio",
       "typicality": {"percentile", "n_photos"} or null,
       "because": [{"similarity", "tags", "page"}, ...],
       "saliency": {"drops": [[...], ...], "where", "share"}}
    """
    use_one_blas_thread()
    from PIL import Image

    from lablr.errors import UnknownTag
    from lablr.photos import FOLDER_LIMITS, bounded_image, read_bytes
    from lablr.ranking.explanation import explain
    from lablr.ranking.saliency import painted
    from lablr.ranking.tagger import Tagger
    from lablr.system.whole_file import write_whole
    from lablr.tags import normalize

    tagger = Tagger.load(bundle, FOLDER_LIMITS)
    raw = read_bytes(photo)
    image = tagger.read(raw)
    try:
        (found,) = explain(tagger, image, [normalize(tag)], True, progress_bar)
    except UnknownTag as error:
        fail(f"{error}; lablr tags lists those it knows")
    if overlay is not None and found.saliency is not None:
        whole = bounded_image(raw, OVERLAY_SIDE_PX)
        picture = Image.fromarray(painted(whole, found.saliency.drops))
        write_whole(overlay, lambda file: picture.save(file, "PNG"))
    if as_json:
        click.echo(json.dumps({"photo": str(photo), **found.to_dict()}))
    else:
        _show(found)


def _show(found: Explanation) -> None:
    """Print the three answers, a paragraph each."""
    ratio, square = found.log_likelihood_ratio, found.squared_mahalanobis
    click.echo(
        f"{found.tag}: log-likelihood ratio {ratio:+.2f}, distance² {square:.1f}"
    )
    click.echo(f"how typical: {_typical(found.typicality)}")
    if found.saliency is not None:
        click.echo(f"where: {_seen(found.saliency)}")
    if found.because:
        click.echo("the nearest training photos with it:")
    for one in found.because:
        page = f"  {one.page}" if one.page else ""
        click.echo(f"  {one.similarity:6.3f}  {shown(', '.join(one.tags))}{page}")


def _typical(typicality: Typicality | None) -> str:
    if typicality is None:
        return "not known, the model keeps too few training photos with it"
    return (
        f"farther from the middle than {typicality.percentile:.0f} % of "
        f"{typicality.n_photos} training photos with it"
    )


def _seen(saliency: Saliency) -> str:
    where = saliency.where
    if where is None:
        return "here and there, most of it in no one part"
    return f"most of it: {where} ({saliency.share(where):.0%} of what speaks for it)"
