"""The latent map as the numbers of an SVG, for browsers without JavaScript.

An SVG and not a PNG: it takes the page's colours, light or dark, and comes in a
narrow edition whose names can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lablr.figures.map_layout import (
    Circle,
    RankedTags,
    TagPlane,
    circles_of,
    frame_of,
    place_labels,
)

__all__ = ["MapPicture", "map_picture"]

N_TAGS = 20
WIDE_PX = (960, 640)
NARROW_PX = (330, 380)
NARROW_LABELS = 10  # more names than these do not fit on a phone
LABEL_HEIGHT_PX = 17.0
LETTER_PX = 7.6  # wide enough for the bold names


@dataclass(frozen=True)
class Disc:
    """A tag's circle, in pixels; role is ``"tag"`` or ``"faint"``."""

    role: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Label:
    """A tag's name: the middle of its text, and the centroid it belongs to."""

    role: str
    text: str
    x: float
    y: float
    from_x: float
    from_y: float


@dataclass(frozen=True)
class MapPicture:
    """Everything that templates/_map.html draws, in pixels."""

    width: int
    height: int
    circles: list[Disc]
    labels: list[Label]
    photo_x: float
    photo_y: float


def map_picture(
    latent_map: TagPlane,
    tags: Sequence[str],
    suggestion: RankedTags,
    narrow: bool,
    labels: Mapping[str, str] | None = None,
) -> MapPicture:
    """The `N_TAGS` most relevant tags as circles, and the photo; to one scale.

    labels: what to call a tag, where that is not the tag itself.
    """
    width, height = NARROW_PX if narrow else WIDE_PX
    circles = circles_of(latent_map, tags, suggestion, N_TAGS, labels)
    frame = frame_of(circles, suggestion)
    scale = frame.scale((width, height))
    # no taller than it need be, but with room for names
    tall = round((frame.high[1] - frame.low[1]) * scale)
    height = min(height, max(tall, width // 2))
    left = (width - (frame.high[0] - frame.low[0]) * scale) / 2
    top = (height - (frame.high[1] - frame.low[1]) * scale) / 2

    def pixel(x: float, y: float) -> tuple[float, float]:
        return (
            round(left + (x - frame.low[0]) * scale, 1),
            round(top + (frame.high[1] - y) * scale, 1),
        )

    photo = pixel(float(suggestion.position[0]), float(suggestion.position[1]))
    centres = [pixel(circle.x, circle.y) for circle in circles]
    named = circles[:NARROW_LABELS] if narrow else circles
    return MapPicture(
        width=width,
        height=height,
        circles=[  # the relevant ones lie on top
            Disc(circle.role, *centre, round(circle.radius * scale, 1))
            for circle, centre in zip(circles[::-1], centres[::-1], strict=True)
        ],
        labels=_labels(named, centres, (width, height), photo),
        photo_x=photo[0],
        photo_y=photo[1],
    )


def _labels(
    circles: Sequence[Circle],
    centres: Sequence[tuple[float, float]],
    size_px: tuple[int, int],
    photo: tuple[float, float],
) -> list[Label]:
    """Names where they cover neither each other nor the photo's cross."""
    anchors = centres[: len(circles)]
    x, y = photo
    offsets = place_labels(
        anchors=anchors,
        sizes=[(LETTER_PX * len(c.label) + 6, LABEL_HEIGHT_PX) for c in circles],
        bounds=(0.0, 0.0, float(size_px[0]), float(size_px[1])),
        keep_out=[(x - 12, y - 12, x + 12, y + 12)],
    )
    return [
        Label(
            role=circle.role,
            text=circle.label,
            x=round(anchor[0] + offset[0], 1),
            y=round(anchor[1] + offset[1], 1),
            from_x=anchor[0],
            from_y=anchor[1],
        )
        for circle, anchor, offset in zip(circles, anchors, offsets, strict=True)
    ]
