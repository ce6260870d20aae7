"""Every error Lablr raises on purpose, in one tree.

::

    LablrError
    ├── PhotoError                   a photo that cannot be used
    │   ├── UnsupportedPhoto      not a JPEG, PNG, WebP or GIF          (HTTP 415)
    │   ├── PhotoTooLarge         too many bytes                        (HTTP 413)
    │   │                         too many pixels, scans, or too narrow (HTTP 422)
    │   └── BrokenPhoto           truncated or corrupt                  (HTTP 422)
    ├── CorpusError               tagged photos on disk that cannot be read
    ├── FitError                  too few photos of a tag, or none at all
    ├── BundleError               a bundle that is missing, altered or too new
    │   └── NotInBundle           a bundle without the part that this needs
    ├── RankingError              a way to rank tags that the bundle does not offer
    ├── ResizeError               resized photos that cannot be written
    ├── LabelError                labels that cannot be written or resumed
    ├── TrainingError             a run that cannot start or go on
    ├── EngineError               machines that cannot be reached, or were lost
    ├── DownloadError             Flickr refuses, or the folder cannot be written
    ├── DatabaseError             a database that cannot be opened or used
    ├── JudgementError            a judgement that cannot be kept
    │   └── AlreadyJudged         the rater has judged this photo before (HTTP 409)
    ├── DeskError                 a step at the desk that cannot be taken
    ├── IndexFolderError          an index of photos that is missing or broken
    ├── BotError                  a bot that cannot start or go on
    ├── LearningError             judgements that teach nothing, or the wrong thing
    ├── TextError                 a text that cannot be read             (HTTP 422)
    ├── VocabularyError           a person's file of words that cannot be used
    ├── WritingError              tags that cannot be written into a file, or undone
    └── MissingExtra              an optional part of Lablr that is not installed

The library raises; only the command line and the web turn an error into a
message. ``str(error)`` is a sentence a person can act on and never holds a
traceback or, for photos, a path.
"""

from __future__ import annotations

__all__ = [
    "AlreadyJudged",
    "BotError",
    "BrokenPhoto",
    "BundleError",
    "CorpusError",
    "DatabaseError",
    "DeskError",
    "DownloadError",
    "EngineError",
    "FitError",
    "IndexFolderError",
    "JudgementError",
    "LabelError",
    "LablrError",
    "LearningError",
    "MissingExtra",
    "NotInBundle",
    "PhotoError",
    "PhotoTooLarge",
    "RankingError",
    "ResizeError",
    "TextError",
    "TrainingError",
    "UnsupportedPhoto",
    "VocabularyError",
    "WritingError",
]


class LablrError(Exception):
    """Root of every error that Lablr raises on purpose."""

    code = "error"


class PhotoError(LablrError):
    """A photo that cannot be used; ``http_status`` says how the web answers."""

    code = "photo_error"
    http_status = 422


class UnsupportedPhoto(PhotoError):
    """The bytes are not a JPEG, PNG, WebP or GIF image, whatever the name says."""

    code = "unsupported_photo"
    http_status = 415


class PhotoTooLarge(PhotoError):
    """More bytes (413), pixels, scans or side ratio (422) than Lablr accepts."""

    code = "photo_too_large"

    def __init__(self, message: str, http_status: int = 422) -> None:
        super().__init__(message)
        self.http_status = http_status


class BrokenPhoto(PhotoError):
    """The image is truncated or corrupt, or its decoding had to be stopped."""

    code = "broken_photo"


class CorpusError(LablrError):
    """Tagged photos on disk that cannot be read; the message names file and line."""

    code = "corpus_error"


class FitError(LablrError):
    """Gaussians that cannot be fitted; the message names the tags and their photos."""

    code = "fit_error"


class RankingError(LablrError, ValueError):
    """A ranking the bundle does not offer, or one that needs more than it was given."""

    code = "bad_ranking"


class BundleError(LablrError):
    """A bundle that must not be used; the message names file, expected and found."""

    code = "bundle_error"


class NotInBundle(BundleError):
    """A usable bundle that lacks an optional part, such as an old one does."""

    code = "not_in_bundle"


class ResizeError(LablrError):
    """Resized photos that must not go, or cannot be written, where they were told."""

    code = "resize_error"


class LabelError(LablrError):
    """Labels that must not go, or cannot be written, where they were told."""

    code = "label_error"


class TrainingError(LablrError):
    """A training run that cannot start or go on."""

    code = "training_error"


class DownloadError(LablrError):
    """A download that cannot start or go on; what was done is kept."""

    code = "download_error"


class EngineError(LablrError):
    """Machines that cannot be reached, or that were lost while they worked."""

    code = "engine_error"


class DatabaseError(LablrError):
    """A database that cannot be opened or used; the message never holds a password."""

    code = "database_error"


class JudgementError(LablrError):
    """A judgement that cannot be kept: it contradicts itself, or names the unknown."""

    code = "judgement_error"
    http_status = 422


class AlreadyJudged(JudgementError):
    """The rater has judged this photo, or taken back this very judgement."""

    code = "already_judged"
    http_status = 409


class DeskError(LablrError):
    """A step at the desk that cannot be taken, or a photo that it does not have.

    Parameters
    ----------
    code, http_status : what is wrong, for programs.
    """

    def __init__(self, code: str, message: str, http_status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status


class IndexFolderError(LablrError):
    """An index of photos that is missing, broken, or of another model."""

    code = "index_error"


class BotError(LablrError):
    """A bot that cannot start or go on; the message never holds its token."""

    code = "bot_error"


class LearningError(LablrError):
    """Judgements from which a bundle cannot learn, or would not become better."""

    code = "learning_error"


class TextError(LablrError):
    """A text, or a file of word vectors, that cannot be read."""

    code = "text_error"
    http_status = 422


class VocabularyError(LablrError):
    """A file of words, or a language, that cannot be used.

    Parameters
    ----------
    problems : what is wrong with the file, each naming file and line; the message
        is the first of them and how many more there are.
    """

    code = "vocabulary_error"

    def __init__(self, *problems: str) -> None:
        more = len(problems) - 1
        super().__init__(problems[0] + (f" (and {more} more)" if more else ""))
        self.problems = problems


class WritingError(LablrError):
    """Tags that cannot be written into a file or taken out of it; it is as it was."""

    code = "writing_error"


class MissingExtra(LablrError):
    """A part of Lablr whose optional dependencies are not installed.

    Parameters
    ----------
    extra : the extra of ``setup.cfg`` to install, for example ``"train"``.
    purpose : what it is needed for, as the object of "needed to ...".
    """

    code = "missing_extra"

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"'pip install lablr[{extra}]' is needed to {purpose}")
        self.extra = extra
