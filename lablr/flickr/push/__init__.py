"""Put accepted tags on one's own photos on Flickr, with undo.

``docs/push.md`` is for people; the command calls ``run.push`` and ``undoing.undo``::

    session = FlickrSession(credentials, pace, account=account)
    for outcome in push({"5001": [Keyword("beach", "accepted")]}, session, account,
                        state=default_state()):
        print(outcome.photo, outcome.status, outcome.changed)
    for outcome in undo(session, account, state=default_state()):
        ...
"""
