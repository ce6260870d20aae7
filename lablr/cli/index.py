"""``lablr index``: index the photos of a folder, for ``lablr search``."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import bundle_option, json_option, out_option
from lablr.cli.report import emit, exit_if, progress_bar, summary
from lablr.system.cpu import use_one_blas_thread


@click.command("index")
@click.argument("folder")
@out_option("INDEX", "The folder of the index.", is_folder=True)
@bundle_option
@json_option
def index_command(folder: str, out: Path, bundle: Path | None, as_json: bool) -> None:
    """Read every photo of FOLDER, at any depth, and write an index.

    Run it again when photos were added, moved or deleted: only new ones are read.
    FOLDER may be a corpus, too. Ctrl-C keeps what is done.

    \b
    Examples:
      lablr index ~/Pictures --out pictures-index
      lablr search --index pictures-index beach sunset
      lablr serve --index pictures-index
    """
    use_one_blas_thread()
    from lablr.photos import FOLDER_LIMITS
    from lablr.ranking.tagger import Tagger
    from lablr.search.builder import build
    from lablr.search.features import FeatureExtractor

    extractor = FeatureExtractor(Tagger.load(bundle, FOLDER_LIMITS))
    built = build(folder, out, extractor, progress_bar)
    kinds = ("new", "kept", "moved", "failed")
    counts = {kind: getattr(built, f"n_{kind}") for kind in kinds}
    n_photos, gone = len(built.index), {"gone": built.n_gone}
    if as_json:
        about = {"index": str(out), "photos": n_photos}
        emit(True, {**about, "attempted": built.n_attempted, **counts, **gone})
    print_message(f"{summary(counts)}; gone {built.n_gone:,}")
    print_message(f"{n_photos:,} photos in {shown(str(out))}")
    exit_if(built.n_failed)
