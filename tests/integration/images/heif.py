"""HEIC and AVIF of known luma and chroma, coded without loss by libheif: Pillow writes no HEIC, and only eight bits."""

from __future__ import annotations

import ctypes
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint16]
HEVC, AV1 = 1, 4
CHROMA = {"4:2:0": 1, "4:2:2": 2, "4:4:4": 3}
BT_709, BT_601 = 1, 6
SHARES = {BT_709: (0.2126, 0.0722), BT_601: (0.299, 0.114)}  # of red and blue in luma
YCBCR, LUMA, ALPHA = 0, 0, 6


class Coding(NamedTuple):
    """How colours are stored.

    Attributes:
        subsampling: Of chroma, such as 4:2:0.
        matrix: Code of the matrix (ISO 23091-2).
        limited: Whether luma of eight bits is from 16 to 235.
        bits: Per sample.
    """

    subsampling: str = "4:2:0"
    matrix: int = BT_601
    limited: bool = False
    bits: int = 8


class _Error(ctypes.Structure):
    _fields_ = (("code", ctypes.c_int), ("subcode", ctypes.c_int), ("message", ctypes.c_char_p))


class _Colours(ctypes.Structure):
    """The beginning of heif_color_profile_nclx."""

    _fields_ = (
        ("version", ctypes.c_uint8),
        ("primaries", ctypes.c_int),
        ("transfer", ctypes.c_int),
        ("matrix", ctypes.c_int),
        ("full_range", ctypes.c_uint8),
    )


class _Options(ctypes.Structure):
    """heif_encoding_options, of version 5."""

    _fields_ = (
        ("version", ctypes.c_uint8),
        ("save_alpha", ctypes.c_uint8),
        ("grid_instead_of_crop", ctypes.c_uint8),
        ("two_profiles", ctypes.c_uint8),
        ("output_colours", ctypes.c_void_p),
        ("no_colours", ctypes.c_uint8),
        ("orientation", ctypes.c_int),
    )


class _Library:
    """libheif; calls that fail raise ValueError."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libheif.so.1")

    def call(self, name: str, *arguments: Any) -> None:
        function = self._library[name]
        function.restype = _Error
        error = function(*arguments)
        if error.code:
            raise ValueError(f"{name}: {error.message.decode()}")

    def pointer(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        function = self._library[name]
        function.restype = ctypes.c_void_p
        return ctypes.c_void_p(function(*arguments))

    def free(self, name: str, thing: Any) -> None:
        self._library[name](thing)


@cache
def _library() -> _Library:
    return _Library()


def heif(
    planes: list[Samples], coding: Coding, codec: int = HEVC, orientation: int = 1, alpha: Samples | None = None
) -> bytes:
    """A file whose image decodes to exactly these planes.

    Args:
        planes: Luma, blue and red chroma, as :func:`stored` returns them.
        coding: How colours are stored.
        codec: HEVC or AV1.
        orientation: As in EXIF, by the file's transformations.
        alpha: As large as luma.
    """
    library = _library()
    context = library.pointer("heif_context_alloc")
    image, encoder = ctypes.c_void_p(), ctypes.c_void_p()
    height, width = planes[LUMA].shape
    library.call("heif_image_create", width, height, YCBCR, CHROMA[coding.subsampling], ctypes.byref(image))
    channels = dict(enumerate(planes)) | ({} if alpha is None else {ALPHA: alpha})
    for channel, samples in channels.items():
        _add_plane(library, image, channel, samples, coding.bits)
    colours = _Colours(1, 1, 13, coding.matrix, not coding.limited)
    library.call("heif_image_set_nclx_color_profile", image, ctypes.byref(colours))
    library.call("heif_context_get_encoder_for_format", context, codec, ctypes.byref(encoder))
    library.call("heif_encoder_set_lossless", encoder, 1)
    chroma = coding.subsampling.replace(":", "").encode()
    library.call("heif_encoder_set_parameter_string", encoder, b"chroma", chroma)
    options = _Options(5, 1, 0, 0, None, 0, orientation)
    library.call("heif_context_encode_image", context, image, encoder, ctypes.byref(options), None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image"
        library.call("heif_context_write_to_file", context, str(file).encode())
        data = file.read_bytes()
    for name, thing in (("encoder", encoder), ("image", image)):
        library.free(f"heif_{name}_release", thing)
    library.free("heif_context_free", context)
    return data


def _add_plane(library: _Library, image: ctypes.c_void_p, channel: int, samples: Samples, bits: int) -> None:
    height, width = samples.shape
    library.call("heif_image_add_plane", image, channel, width, height, bits)
    stride = ctypes.c_int()
    start = library.pointer("heif_image_get_plane", image, channel, ctypes.byref(stride)).value
    assert start is not None
    for number, row in enumerate(samples.astype(np.uint8 if bits == 8 else np.uint16)):
        ctypes.memmove(start + number * stride.value, row.tobytes(), row.nbytes)


def stored(pixels: NDArray[Any], coding: Coding) -> list[Samples]:
    """The planes of RGB pixels of eight bits; a sample of chroma is the mean of the pixels that it covers."""
    red, blue = SHARES[coding.matrix]
    shares = np.array([red, 1 - red - blue, blue])
    luma = pixels @ shares / 255
    chroma = [(pixels[..., channel] / 255 - luma) / (2 * (1 - shares[channel])) for channel in (2, 0)]
    across = {"4:2:0": (0, 1), "4:2:2": (1,), "4:4:4": ()}[coding.subsampling]
    for axis in across:
        chroma = [_halved(plane, axis) for plane in chroma]
    low, luma_range, chroma_range = _range(coding)
    middle = 1 << coding.bits - 1
    samples = [low + luma * luma_range, *(middle + plane * chroma_range for plane in chroma)]
    return [np.clip(np.rint(plane), 0, (1 << coding.bits) - 1).astype(np.uint16) for plane in samples]


def _halved(plane: NDArray[Any], axis: int) -> NDArray[Any]:
    plane = np.moveaxis(plane, axis, 0)
    plane = np.concatenate([plane, plane[-1:]]) if len(plane) % 2 else plane
    return np.moveaxis((plane[0::2] + plane[1::2]) / 2, 0, axis)


def shown(planes: list[Samples], coding: Coding) -> NDArray[np.uint8]:
    """The RGB pixels of planes, by the formulas of ISO 23091-2; chroma is interpolated, each sample amid its pixels."""
    low, luma_range, chroma_range = _range(coding)
    luma = (planes[LUMA].astype(float) - low) / luma_range
    chroma = [(plane.astype(float) - (1 << coding.bits - 1)) / chroma_range for plane in planes[1:]]
    blue_chroma, red_chroma = (_doubled(_doubled(plane, 0, luma.shape[0]), 1, luma.shape[1]) for plane in chroma)
    red_share, blue_share = SHARES[coding.matrix]
    red = luma + 2 * (1 - red_share) * red_chroma
    blue = luma + 2 * (1 - blue_share) * blue_chroma
    green = (luma - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    pixels: NDArray[np.uint8] = np.clip(np.rint(np.dstack([red, green, blue]) * 255), 0, 255).astype(np.uint8)
    return pixels


def _doubled(plane: NDArray[Any], axis: int, length: int) -> NDArray[Any]:
    """Samples at twice the resolution, of which as many are kept, or the same ones if there are as many."""
    if plane.shape[axis] == length:
        return plane
    plane = np.moveaxis(plane, axis, 0)
    before, after = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
    pairs = np.stack([3 * plane + before, 3 * plane + after], axis=1) / 4
    return np.moveaxis(pairs.reshape(-1, *plane.shape[1:])[:length], 0, axis)


def _range(coding: Coding) -> tuple[float, float, float]:
    """The least luma, and the ranges of luma and chroma."""
    if coding.limited:
        scale = float(1 << coding.bits - 8)
        return 16 * scale, 219 * scale, 224 * scale
    most = float((1 << coding.bits) - 1)
    return 0, most, most
