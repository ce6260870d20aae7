"""Encoder and corpus to a bundle, and a bundle to its figures.

`fit` turns `sums` over the photos into Gaussians, calibration and map; `methods` adds
other rankings; `evaluate` and `compare` judge a bundle by the `metrics`;
`rerank_gain` measures what feedback on a photo's tags is worth to the others.
"""
