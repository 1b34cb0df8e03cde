"""Synthetic test images: one red subject on a grey background, in every encoding found in a catalogue."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
ORIENTATION = 0x0112


def scene(width: int = 160, height: int = 120, seed: int = 0) -> Pixels:
    """BGR pixels of a red box on a grey background; the seed determines the box's position and the noise."""
    random = np.random.default_rng(seed)
    pixels = random.integers(90, 130, (height, width, 3)).astype(np.uint8)
    left, top = int(random.integers(0, width // 2)), int(random.integers(0, height // 2))
    cv2.rectangle(pixels, (left, top), (left + width // 3, top + height // 3), (10, 10, 250), -1)
    return pixels


def encoded(pixels: Pixels, extension: str = ".jpg") -> bytes:
    success, data = cv2.imencode(extension, pixels)
    assert success
    return data.tobytes()


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def other(pixels: Pixels, kind: str, **options: object) -> bytes:
    """The image in a format that OpenCV does not write."""
    return _encode(_rgb(pixels), kind, **options)


def transparent(pixels: Pixels, kind: str, **options: object) -> bytes:
    """The image, fully transparent, over black."""
    image = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]), (0, 0, 0, 0))
    return _encode(image, kind, **options)


def _rgb(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1]))


def cmyk(pixels: Pixels) -> bytes:
    return _encode(_rgb(pixels).convert("CMYK"), "JPEG", quality=95)


def grey(pixels: Pixels) -> bytes:
    return encoded(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8), ".png")


def deep(pixels: Pixels) -> bytes:
    """A PNG with 16 bits per channel."""
    success, data = cv2.imencode(".png", pixels.astype(np.uint16) * 257)
    assert success
    return data.tobytes()


def rotated(pixels: Pixels) -> bytes:
    """A nearly lossless JPEG, stored sideways, with the EXIF tag that turns it upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # rotate by 90 degrees clockwise
    sideways = np.ascontiguousarray(np.rot90(pixels))
    return _encode(_rgb(sideways), "JPEG", quality=100, subsampling=0, exif=exif)


def upright(pixels: Pixels) -> bytes:
    """The same image as `rotated`, stored upright and without a tag."""
    return _encode(_rgb(pixels), "JPEG", quality=100, subsampling=0)


def animation(frames: list[Pixels]) -> bytes:
    first, *rest = [_rgb(frame) for frame in frames]
    return _encode(first, "GIF", save_all=True, append_images=rest, duration=50, loop=0)


def with_thumbnail(pixels: Pixels) -> bytes:
    """A JPEG whose EXIF segment contains a complete thumbnail JPEG, including its own end marker."""
    thumbnail = encoded(np.asarray(cv2.resize(pixels, (32, 24)), np.uint8))
    payload = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + b"\0" * 8 + thumbnail
    plain = encoded(pixels)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]


def blank_png(width: int, height: int) -> bytes:
    """A PNG of a single colour, compressed row by row so that its pixels are never all in memory."""
    row = b"\0" + b"\x20\x20\xd0" * width
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
