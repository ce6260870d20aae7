"""Put accepted tags on one's own photos on Flickr, with undo.

``docs/push.md`` is for people; this is what the command calls::

    session = FlickrSession(credentials, pace, account=account)
    for outcome in push({"5001": [Keyword("beach", "accepted")]}, session, account,
                        state=default_state()):
        print(outcome.photo, outcome.status, outcome.added)
    for outcome in undo(session, account, state=default_state()):
        ...
"""

from __future__ import annotations

from lablr.flickr.push.journal import PushRun
from lablr.flickr.push.run import PushOutcome, list_runs, push
from lablr.flickr.push.undoing import undo
from lablr.flickr.push.wanted import read_photo_id, read_tag, read_wanted

__all__ = [
    "PushOutcome",
    "PushRun",
    "list_runs",
    "push",
    "read_photo_id",
    "read_tag",
    "read_wanted",
    "undo",
]
