"""Latents to tags: the tags of a photo, best first, and why.

`tagger` is the whole way of one photo: read, encode, rank. `ranker` makes scores of
latents by the Gaussians or by one of the `methods`; `coupling` ranks again after
`feedback`, `reach` weighs how much a tag is seen. `suggestion` is the answer, `shown`
the same in a person's own words, `explanation` says why a tag, `unlikely` which of a
photo's own tags the model doubts.
"""
