"""Photos and their tags from Flickr: searched politely, downloaded to a corpus.

``session`` speaks to the API, ``search`` finds photos of a tag, ``pictures`` fetches
one picture, ``download`` does all of it and can be stopped at any moment. flickrapi
and requests come with the extra ``train`` and are imported when they are needed.
"""
