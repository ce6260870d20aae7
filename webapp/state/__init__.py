"""The parts of one application, made once: none of them knows of a request.

`create_app` stores a `State`; every view reads it by `state()`. What a part needs to
know of another is handed to it here, so this module shows who depends on whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app, g

from lablr import Tagger
from lablr.system.rate_limit import RateLimit
from webapp.state.admission import Admission
from webapp.state.index import IndexFolder
from webapp.state.judging import Judging, open_desk_of, open_judging
from webapp.state.metrics import Metrics
from webapp.state.model import ServedModel
from webapp.state.settings import Settings

if TYPE_CHECKING:
    from lablr.annotation.desk.desk import Desk

MAX_SALIENCIES_WAITING = 2
MAX_SALIENCY_WAIT_S = 10.0
SIGN_INS_PER_MINUTE = 10


@dataclass(frozen=True)
class State:
    """The parts of one application; None is a part that is off."""

    settings: Settings
    model: ServedModel
    admission: Admission  # to every use of the model
    saliency: Admission  # to the one answer that takes seconds
    metrics: Metrics
    rate_limit: RateLimit | None  # of photos
    sign_ins: RateLimit
    index: IndexFolder
    judging: Judging | None
    desk: Desk | None
    listens_on: str | None = None  # an address, once the server knows it

    @classmethod
    def of(cls, settings: Settings) -> State:
        """Load the model and open what the settings name.

        Raises BundleError for a model that is missing, altered or from the future,
        SettingError for a setting that names something that cannot be used, and
        MissingExtra without the packages that judging or the desk needs.
        """
        model = ServedModel(settings.bundle)
        admission = Admission(
            settings.max_running, settings.max_waiting, settings.max_wait_s
        )
        judging = open_judging(settings)
        return cls(
            settings=settings,
            model=model,
            admission=admission,
            saliency=Admission(1, MAX_SALIENCIES_WAITING, MAX_SALIENCY_WAIT_S),
            metrics=Metrics(admission, model),
            rate_limit=RateLimit(settings.rate_limit) if settings.rate_limit else None,
            sign_ins=RateLimit(SIGN_INS_PER_MINUTE),
            index=IndexFolder(settings.index),
            judging=judging,
            desk=open_desk_of(settings, judging),
        )

    def store(self, app: Flask) -> None:
        """Make this the state of an application."""
        app.extensions["lablr"] = self


def state_of(app: Flask) -> State:
    """Return the state of an application."""
    found: State = app.extensions["lablr"]
    return found


def state() -> State:
    """Return the state of the application that answers now."""
    return state_of(current_app)


def tagger() -> Tagger:
    """Return the model of this request: the same one until its answer is sent."""
    if "tagger" not in g:
        g.tagger = state().model.tagger
    found: Tagger = g.tagger
    return found
