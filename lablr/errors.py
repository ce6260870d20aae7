"""Every error Lablr raises on purpose, in one tree.

::

    LablrError
    ├── PhotoError
    │   ├── UnsupportedPhoto
    │   ├── PhotoTooLarge
    │   └── BrokenPhoto
    ├── BundleError ── NotInBundle
    ├── DownloadError ── RefusedByFlickr
    ├── JudgementError ── AlreadyJudged
    └── the others, each a child of the root

The library raises; only the command line and the web turn an error into a
message. ``str(error)`` is a sentence a person can act on and never holds a
traceback or, for photos, a path.
"""

from __future__ import annotations

import re


class LablrError(Exception):
    """Root of every error that Lablr raises on purpose.

    Attributes
    ----------
    code : what is wrong, for programs: the class's name in lower case, such as
        "photo_error".
    http_status : how the web answers; of those errors that reach it.
    """

    code = "error"

    def __init_subclass__(cls, code: str = "") -> None:
        cls.code = code or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


class PhotoError(LablrError):
    """A photo that cannot be used."""

    http_status = 422


class UnsupportedPhoto(PhotoError):
    """The bytes are not a JPEG, PNG, WebP or GIF image, whatever the name says."""

    http_status = 415


class PhotoTooLarge(PhotoError):
    """More bytes (413), pixels, scans or side ratio (422) than Lablr accepts."""

    def __init__(self, message: str, http_status: int = 422) -> None:
        super().__init__(message)
        self.http_status = http_status


class BrokenPhoto(PhotoError):
    """The image is truncated or corrupt, or its decoding had to be stopped."""


class CorpusError(LablrError):
    """Tagged photos on disk that cannot be read; the message names file and line."""


class FitError(LablrError):
    """Gaussians that cannot be fitted; the message names the tags and their photos."""


class RankingError(LablrError, ValueError, code="bad_ranking"):
    """A ranking the bundle does not offer, or one that needs more than it was given."""


class BundleError(LablrError):
    """A bundle that must not be used; the message names file, expected and found."""


class NotInBundle(BundleError):
    """A usable bundle that lacks an optional part, as old ones do."""


class ResizeError(LablrError):
    """Resized photos that must not go, or cannot be written, where they were told."""


class LabelError(LablrError):
    """Labels that must not go, or cannot be written, where they were told."""


class TrainingError(LablrError):
    """A training run that cannot start or go on."""


class DownloadError(LablrError):
    """A download that cannot start or go on; what was done is kept."""


class RefusedByFlickr(DownloadError):
    """A call that Flickr refuses; ``number`` is its code for the reason.

    Source: "Error Codes" of each method on https://www.flickr.com/services/api/
    """

    def __init__(self, message: str, number: str) -> None:
        super().__init__(message)
        self.number = number


class PushError(LablrError):
    """Tags that cannot be put on a photo on Flickr, or taken off; nothing is lost."""


class EngineError(LablrError):
    """Machines that cannot be reached, or that were lost while they worked."""


class DatabaseError(LablrError):
    """A database that cannot be opened or used; the message never holds a password."""


class JudgementError(LablrError):
    """A judgement that cannot be kept: it contradicts itself, or names the unknown."""

    http_status = 422


class AlreadyJudged(JudgementError):
    """The rater has judged this photo, or taken back this very judgement."""

    http_status = 409


class DeskError(LablrError):
    """A step at the desk that cannot be taken, or a photo that it does not have."""

    def __init__(self, code: str, message: str, http_status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status


class IndexFolderError(LablrError, code="index_error"):
    """An index of photos that is missing, broken, or of another model."""


class BotError(LablrError):
    """A bot that cannot start or go on; the message never holds its token."""


class LearningError(LablrError):
    """Judgements from which a bundle cannot learn, or would not become better."""


class TextError(LablrError):
    """A text, or a file of word vectors, that cannot be read."""

    http_status = 422


class UnknownTag(LablrError, ValueError):
    """A tag that the model does not know."""


class VocabularyError(LablrError):
    """A file of words, or a language, that cannot be used.

    problems : each names file and line; the message is the first of them and how many
        more there are.
    """

    def __init__(self, *problems: str) -> None:
        more = len(problems) - 1
        super().__init__(problems[0] + (f" (and {more} more)" if more else ""))
        self.problems = problems


class WritingError(LablrError):
    """Tags that cannot be written into a file or taken out of it; it is as it was."""


class MissingExtra(LablrError):
    """A part of Lablr whose optional dependencies are not installed.

    extra : the extra of ``setup.cfg`` to install, for example ``"train"``.
    purpose : what it is needed for, as the object of "needed to ...".
    """

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"'pip install lablr[{extra}]' is needed to {purpose}")
        self.extra = extra
