"""Training heads: methods that learn from what finished encoders say of photos.

An encoder has looked at every photo once, so an epoch over a corpus takes a second
and a head is learned in seconds to minutes. Nothing is written before it is whole,
so there is nothing to resume: what takes long, the encoding, is kept in a cache.

`settings` says how, `inputs` brings the photos, `objectives` what is minimized,
`descent` minimizes it, `learning` puts them together, and `run` keeps the result in a
folder that `lablr fit` reads. Serving them is the business of `lablr.ranking.methods`.
"""
