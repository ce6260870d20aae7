"""Making an encoder with PyTorch: a convolutional VAE, trained on a corpus.

`vae` is the network and its objective, `backbones` the pretrained stacks it may stand
on; `dataset` and `batches` bring the photos, `run` is a training run and its
checkpoints, `distributed` lets several processes train one model, `train` joins them
and `export` writes the encoder that serves. `heads` trains what stands on a finished
encoder. Nothing outside this folder imports PyTorch.
"""
