"""Photos and their tags from Flickr: searched politely, downloaded to a corpus.

``session`` speaks to the API, ``search`` finds photos of a tag, ``pictures`` fetches
one picture, ``download`` does all of it and can be stopped at any moment. ``sign_in``
lets the session call as somebody, ``account`` keeps who that is. flickrapi and requests
come with the extra ``flickr`` and are imported when they are needed.
"""
