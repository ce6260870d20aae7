"""Other ways from a photo to a score per tag, beside the Gaussians.

A *method* is a function of what the encoder says of photos: x (N, p) -> logits
(N, T), higher where a tag fits better. `lablr.calibration` turns them into
probabilities. Methods are trained elsewhere and need nothing but NumPy here.
"""
