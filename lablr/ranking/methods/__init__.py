"""Other ways from a photo to its tags, beside the Gaussians.

A method is a function of x (N, p), what the encoder says of photos: their latents or,
where it asks for more, the latents and the features behind them
(`lablr.encoders.encoder.Encoder.describe`). Its logits become probabilities as the
Gaussians' ratios do (`lablr.latent_space.calibration`), so all are judged, thresholded
and shown alike.

=============  ================================================================
classifier     a linear layer or two on the features, binary cross-entropy
triplet        photos and tags in one space, by distances between them
semantic       photos in the space of a text model's sentences
neighbours     the tags of the nearest training photos
conse          ImageNet's classes, by way of the text model; learns nothing
blend          the Gaussians and others, weighed on validation
=============  ================================================================
"""
