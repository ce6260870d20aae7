"""A database of predictions and judgements: the whole interface to it.

Every method is one transaction. One that writes returns after the commit, so what
it has acknowledged outlasts the end of this process, whatever ends it. Any number of
threads and processes may use the same database.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from threading import Lock
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lablr.annotation.database import predictions, raters, ratings
from lablr.annotation.database.engine import (
    HOW_TO_STORE,
    make_engine,
    one_at_a_time,
    parse_url,
)
from lablr.annotation.database.migrations import upgrade
from lablr.annotation.database.records import (
    JudgedPhoto,
    ModelRecord,
    PhotoToJudge,
    RaterProgress,
)
from lablr.annotation.database.tables import ModelVersion
from lablr.errors import DatabaseError, JudgementError

__all__ = ["Database"]

DEFAULT_K = 5
# Alembic keeps its connection in a global variable: one upgrade at a time.
UPGRADING = Lock()


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Database:
    """Opened by `lablr.annotation.open_database`, which says what ``url`` may be.

    ``clock`` gives the time that judgements are marked with. Every method raises
    `DatabaseError` when the database fails.
    """

    def __init__(
        self, url: str, create: bool = True, clock: Callable[[], datetime] = _now
    ) -> None:
        parsed = parse_url(url)
        self.url = parsed.render_as_string(hide_password=True)
        self._clock = clock
        self._engine = make_engine(parsed)
        try:
            with (
                self._errors(),
                UPGRADING,
                one_at_a_time(self._engine, create) as connection,
            ):
                upgrade(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; the object must not be used afterwards."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- predictions

    def store_predictions(
        self, model: ModelRecord, photos: Iterable[predictions.Predictions]
    ) -> int:
        """Store a model's tags of photos, best first; returns how many photos.

        ``photos`` yields a `StoredPhoto` with its tags (`TagScore`, or pairs of tag
        and probability) and is read 500 at a time, each batch one transaction: an
        endless one takes no more memory. What is stored already stays as it is, so
        a run that was stopped is simply run again.

        Raises `JudgementError` for tags or probabilities that are none; the batches
        before are kept.
        """
        with self.writing() as session:
            model_id = predictions.store_model(session, model)
        n_photos = 0
        for batch in predictions.batches(photos):
            with self.writing() as session:
                n_photos += predictions.store_batch(session, model_id, batch)
        return n_photos

    def models(self) -> list[ModelRecord]:
        """The models whose predictions are stored, the last one first."""
        with self.reading() as session:
            return [
                ModelRecord(row.digest, row.name, row.created)
                for row in session.query(ModelVersion).order_by(ModelVersion.id.desc())
            ]

    # --- raters

    def add_rater(self, name: str, password: str | None = None) -> str:
        """Enter a rater, or give one a new password; returns the name as it is kept.

        Raises `JudgementError` for a name or password that cannot be one.
        """
        with self.writing() as session:
            return raters.add_rater(session, name, password)

    def may_sign_in(self, name: str, password: str | None = None) -> bool:
        """Whether there is such a rater, and the password theirs if they have one."""
        with self.reading() as session:
            return raters.may_sign_in(session, name, password)

    # --- judging

    def next_photo(
        self,
        rater: str,
        order: str = "queue",
        k: int = DEFAULT_K,
        model: str | None = None,
    ) -> PhotoToJudge | None:
        """The photo that a rater judges next; None when none is left."""
        return next(iter(self.next_photos(rater, 1, order, k, model)), None)

    def next_photos(
        self,
        rater: str,
        n: int = 2,
        order: str = "queue",
        k: int = DEFAULT_K,
        model: str | None = None,
    ) -> list[PhotoToJudge]:
        """The next ``n`` photos, the first to judge, the others to fetch ahead.

        ``order`` is ``queue`` or ``uncertain``, see `predictions.photos_to_judge`;
        ``model`` is the digest (or its beginning) of the model whose tags are shown,
        None the one stored last. Raises `JudgementError` for a rater, model or order
        that there is not.
        """
        with self.reading() as session:
            rater_id = raters.find_rater(session, rater)
            found = predictions.find_model(session, model)
            if found is None:
                return []
            return predictions.photos_to_judge(session, found, rater_id, order, k, n)

    def rate(
        self,
        rater: str,
        photo: str,
        verdict: str,
        decisions: Mapping[str, str] | None = None,
        token: str | None = None,
        k: int = DEFAULT_K,
        model: str | None = None,
    ) -> JudgedPhoto:
        """Keep a verdict on the first ``k`` tags of a photo, by the photo's name.

        verdict : ``top_right``, ``one_of_k_right`` (and the first is not) or
            ``none_right``.
        decisions : tag -> ``yes`` or ``no``, for tags that were shown, or ``typed``
            for one that the rater added.
        model : the digest of the `PhotoToJudge` that was shown; None is the model
            stored last, which may have become another since.
        token : the client's own name for this act; sent again, it is stored once
            and the rating that is kept is returned. None: every call is a new act.

        Raises `AlreadyJudged` when the rater judged the photo under another token,
        or took this very rating back; `JudgementError` for a contradiction, or a
        rater, photo, tag or model that there is not.
        """
        with self.writing() as session:
            return ratings.rate(
                session,
                raters.find_rater(session, rater, lock=True),
                _existing(predictions.find_model(session, model)),
                photo,
                verdict,
                decisions or {},
                k,
                token or uuid.uuid4().hex,
                self._clock(),
            )

    def skip(self, rater: str, photo: str) -> None:
        """Serve a photo to this rater no more, unless undone; twice is once.

        Raises `AlreadyJudged` or `JudgementError`, as `rate` does.
        """
        with self.writing() as session:
            rater_id = raters.find_rater(session, rater, lock=True)
            ratings.skip(session, rater_id, photo, self._clock())

    def undo(self, rater: str, k: int = DEFAULT_K) -> PhotoToJudge | None:
        """Take back a rater's last rating or skip; returns its photo to judge again.

        None when there is nothing to take back.
        """
        with self.writing() as session:
            rater_id = raters.find_rater(session, rater, lock=True)
            found = ratings.undo(session, rater_id, self._clock())
            if found is None:
                return None
            photo_id, model_id = found
            model = (
                _existing(predictions.find_model(session, None))
                if model_id is None
                else session.get_one(ModelVersion, model_id)
            )
            return predictions.photo_to_judge(session, model, photo_id, k)

    def progress(self, rater: str, model: str | None = None) -> RaterProgress:
        """How many photos of a model a rater has judged, skipped and left."""
        with self.reading() as session:
            rater_id = raters.find_rater(session, rater)
            found = predictions.find_model(session, model)
            if found is None:
                return RaterProgress(0, 0, 0, None)
            return ratings.rater_progress(session, rater_id, found.id)

    # --- transactions

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with self._errors(), self._engine.connect() as connection:
            reader = connection.execution_options(
                writes=False,
                **self._isolation(),
            )
            with Session(reader) as session:
                yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back by an exception."""
        with self._errors(), Session(self._engine) as session, session.begin():
            yield session

    def _isolation(self) -> dict[str, str]:
        # PostgreSQL's default lets every statement see another state.
        is_postgresql = self._engine.dialect.name == "postgresql"
        return {"isolation_level": "REPEATABLE READ"} if is_postgresql else {}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the database and the system refuse into `DatabaseError`."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            reason = str(getattr(error, "orig", None) or error).strip()
            line = reason.splitlines()[0] if reason else type(error).__name__
            raise DatabaseError(f"{self.url}: {line}") from error
        except OSError as error:
            raise DatabaseError(f"{self.url}: {error.strerror or error}") from error
        except DatabaseError as error:
            if str(error).startswith(self.url):
                raise
            raise DatabaseError(f"{self.url}: {error}") from error


def _existing(model: ModelVersion | None) -> ModelVersion:
    if model is None:
        raise JudgementError(f"the database holds no predictions; {HOW_TO_STORE}")
    return model
