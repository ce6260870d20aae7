"""The latent map and the charts of a suggestion, as numbers and as pictures."""
