"""From the essence of a photo to upright RGB pixels, with Pillow.

This file is also run on its own, as the short-lived child of ``guard``, so it imports
nothing but Pillow and the standard library, and no other module of Lablr.
"""

from __future__ import annotations

import io
import os
import struct
import sys

# The parent names the folder Pillow lives in: the child runs isolated from the site's
# start-up files, which makes it quicker and leaves the environment out of it.
if __name__ == "__main__":
    sys.path.append(sys.argv[1])

from PIL import (
    GifImagePlugin,
    Image,
    ImageChops,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

# Naming the plug-ins registers them, so no photo has to wait for Pillow to import its
# forty others.
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)

# What decoders have been seen to raise on damaged bytes; warnings are in the list for
# programs that turn them into errors.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
)

# The child's exit status beside 0; Python's own are 1 and 2.
STATUS_CORRUPT, STATUS_NO_MEMORY = 3, 4

_WHITE = (255, 255, 255)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_CROP_RATIO = 2.0


def decode_pixels(
    essence: bytes, kind: str, orientation: int, size: int | None, fit: str = "crop"
) -> Image.Image:
    """Return the photo as an upright RGB image, whole or as a size x size square.

    The square is, by bicubic interpolation, the centre crop of side ratio at most
    2:1, stretched, or with ``fit`` "letterbox" the whole photo, scaled down where it
    is larger and laid on the middle of black; with "inside" that without the black.
    Raises one of DECODER_ERRORS or MemoryError.
    """
    image: Image.Image = Image.open(io.BytesIO(essence), formats=(kind,))
    box = (0.0, 0.0, float(image.width), float(image.height))
    target = None
    if size is not None:
        is_crop = fit == "crop"
        target = (size, size) if is_crop else shrunk(image.width, image.height, size)
        # A JPEG is decoded straight to 1/2, 1/4 or 1/8; the box says which part of
        # the rounded-up result is picture. Half as large again as the target leaves
        # the resampling enough to average over.
        drafted = image.draft("RGB", (3 * target[0] // 2, 3 * target[1] // 2))
        box = drafted[1] if drafted else box
        box = _centre_crop(*box[2:]) if is_crop else box
    image = _load_webp(image) if kind == "WEBP" else image
    image.load()
    image = _lay_on_white(image)
    if target is not None:
        image = image.resize(target, Image.Resampling.BICUBIC, box=box)
    # Turning the small square is the same as turning the photo, and costs nothing.
    turn = _UPRIGHT.get(orientation)
    image = image.transpose(turn) if turn is not None else image
    image = image if image.mode == "RGB" else image.convert("RGB")
    if size is None or fit == "inside":
        return image
    return _lay_on_black(image, size)


def _centre_crop(width: float, height: float) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the centre of side ratio at most 2:1."""
    crop_width = min(width, _MAX_CROP_RATIO * height)
    crop_height = min(height, _MAX_CROP_RATIO * width)
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    return left, top, left + crop_width, top + crop_height


def shrunk(width: int, height: int, size: int) -> tuple[int, int]:
    """Return the pixels of a photo that is scaled down to fit a square, never up."""
    scale = min(1.0, size / max(width, height))
    return max(1, round(scale * width)), max(1, round(scale * height))


def _lay_on_black(image: Image.Image, size: int) -> Image.Image:
    """Return a square with the image in its middle and zeros around it."""
    if image.size == (size, size):
        return image
    square = Image.new("RGB", (size, size))
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return square


def _load_webp(image: Image.Image) -> Image.Image:
    """Return a WebP's first frame, with half the memory of ``image.load()``.

    Pillow keeps libwebp's two canvases and two copies beside them: 16 bytes a pixel,
    680 MB for a photo of 40 megapixels. Going around it takes private names, so where
    a later Pillow has moved them, the photo is loaded in the ordinary way.
    """
    decoder = getattr(image, "_decoder", None)
    mode = getattr(image, "rawmode", None)
    if decoder is None or mode not in ("RGBA", "RGBX"):
        return image
    frame = decoder.get_next()
    if frame is None:
        raise EOFError("the first frame of a WebP does not decode")
    del decoder, image._decoder  # type: ignore[attr-defined]  # frees the canvases
    return Image.frombuffer(mode, image.size, frame[0], "raw", mode, 0, 1)


def _lay_on_white(image: Image.Image) -> Image.Image:
    """Return an RGB or L image of the same look; what is transparent turns white."""
    if image.mode.startswith("I"):
        return _reduce_depth(image)
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return image
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        ground = Image.new("RGB", image.size, _WHITE)
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image.convert("RGB")


def _reduce_depth(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit grey: the high byte, as Pillow does for RGB.

    Pillow's own conversion clips at 255 and turns nearly every photo white.
    """
    if image.mode == "I":
        image = image.convert("I;16")
    samples = image.tobytes()
    low_first = image.mode != "I;16B"
    high = Image.frombytes("L", image.size, samples[low_first::2])
    key = image.info.get("transparency")
    if isinstance(key, int):
        low = Image.frombytes("L", image.size, samples[not low_first :: 2])
        is_key = ImageChops.darker(
            high.point([255 * (value == key >> 8) for value in range(256)]),
            low.point([255 * (value == key & 255) for value in range(256)]),
        )
        high.paste(255, mask=is_key)
    return high


def _limit_this_process(cpu_s: int, memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the only bound
        return
    os.nice(5)  # ordinary photos, decoded beside by the parent, go first
    for name, soft, hard in (
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_CPU", cpu_s, cpu_s + 1),
        ("RLIMIT_AS", memory_bytes, memory_bytes),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (soft, hard))
        except (AttributeError, ValueError, OSError):
            continue  # macOS knows no RLIMIT_AS worth the name


def _run_as_child(arguments: list[str]) -> int:
    """Decode standard input to raw pixels on standard output; return the status."""
    kind, orientation, size, fit, cpu_s, memory_bytes = arguments
    _limit_this_process(int(cpu_s), int(memory_bytes))
    try:
        image = decode_pixels(
            sys.stdin.buffer.read(), kind, int(orientation), int(size) or None, fit
        )
    except MemoryError:
        return STATUS_NO_MEMORY
    except DECODER_ERRORS:
        return STATUS_CORRUPT
    rows = 256  # a strip at a time: the whole would be a second copy
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        sys.stdout.buffer.write(strip.tobytes())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_run_as_child(sys.argv[2:]))
