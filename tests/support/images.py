"""Pictures that look like a gate camera's to every check, drawn in a few milliseconds."""

from __future__ import annotations

import io
import random
from functools import lru_cache

from PIL import Image


def gate_picture(seed: int = 0, size: tuple[int, int] = (1200, 675)) -> Image.Image:
    """A grey gradient under soft coloured noise: the same for the same `seed` and `size`."""
    width, height = size
    coarse = (width // 3 + 1, height // 3 + 1)
    noise = random.Random(seed).randbytes(coarse[0] * coarse[1] * 3)
    grain = Image.frombytes("RGB", coarse, noise).resize(size, Image.Resampling.BILINEAR)
    yard = Image.linear_gradient("L").resize(size).convert("RGB")
    return Image.blend(yard, grain, 0.25)


@lru_cache(maxsize=256)
def gate_jpeg(
    seed: int = 0, size: tuple[int, int] = (1200, 675), *, progressive: bool = False
) -> bytes:
    """`gate_picture` as a JPEG of about 100 kB at full size, baseline unless `progressive`."""
    return encoded(gate_picture(seed, size), "JPEG", quality=80, progressive=progressive)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """`picture` as a file of Pillow's format `kind`."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
