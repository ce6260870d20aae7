"""The core: a Gaussian for each tag in the latent space.

Photos enter as sums that add (`moments`); from these follow the tags' Gaussians
(`gaussians`), squared Mahalanobis distances to all of them (`mahalanobis`), how tags go
together (`cooccurrence`), what judgements add (`feedback_statistics`), probabilities
(`calibration`), and the plane of the map (`plane`, `dots`).
"""
