"""The database of predictions and ratings: the whole interface to it."""

from __future__ import annotations

from lablr.annotation.database.predictions import StoredPredictions
from lablr.annotation.database.raters import Raters
from lablr.annotation.database.rating_queue import RatingQueue
from lablr.annotation.database.ratings import Ratings


class Database(StoredPredictions, Raters, RatingQueue, Ratings):
    """Opened by `lablr.annotation.open_database`, which describes ``url``.

    Every method is one transaction. One that writes returns after the commit, so what
    it has acknowledged outlasts the end of this process, whatever ends it. Any number
    of threads and processes may use the same database. Every method raises
    `DatabaseError` when the database fails.
    """
