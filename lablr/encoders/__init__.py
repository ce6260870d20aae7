"""Pixels and texts to latents, by ONNX Runtime.

`encoder` serves one network, `ensemble` joins several into one, `features` adds what
lies behind the latents, `quantization` makes 8-bit integers of one. `encoding` sends
the photos of a corpus through an encoder, in threads of this machine (`engines`) or on
a cluster (`ray_engine`). `text` does for words what `encoder` does for photos.
"""
