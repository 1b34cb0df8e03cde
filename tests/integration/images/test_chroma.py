"""Chroma of half the resolution is interpolated in AVIF and HEIC, as by Pillow; libheif itself repeats each sample."""

from __future__ import annotations

import re
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from tests.integration.images.decoder import Decoder, Pixels, by_pillow, difference
from tests.integration.images.derived import derived, grid, identity
from tests.integration.images.encodings import ORIENTATION, encoded
from tests.integration.images.heif import AV1, BT_601, BT_709, HEVC, Coding, heif, shown, stored

PHOTO = Image.open(Path(skimage.__file__).parent / "data/astronaut.png").convert("RGB").resize((256, 192))
SIZES = [(256, 192), (123, 77), (64, 65), (2, 3), (1, 9), (9, 1), (1, 1)]
HALVED = ["4:2:0", "4:2:2"]
CLOSE = 2  # of 255: what rounding explains
CLOSE_IF_LIMITED = 6  # libheif multiplies by 256/219, and Pillow's libyuv rounds its factors: 4:4:4 differs as much
RAMP = Image.linear_gradient("L")


def drawing(size: tuple[int, int]) -> Image.Image:
    """Hard edges of colours, at which repeated chroma shows most."""
    image = Image.new("RGB", size, "red")
    draw = ImageDraw.Draw(image)
    draw.ellipse((size[0] * 0.2, size[1] * 0.1, size[0] * 0.9, size[1] * 0.8), fill="blue")
    draw.line((0, 0, *size), fill="yellow", width=3)
    return image


def with_matrix(avif: bytes, matrix: int) -> bytes:
    """The same file, whose colours are said to be converted by another matrix."""
    at = avif.index(b"colrnclx") + 12
    return avif[:at] + struct.pack(">H", matrix) + avif[at + 2 :]


def assert_like_pillow(ours: Pixels, theirs: Pixels) -> None:
    """Of rows of odd length, Pillow's libyuv interpolates all pixels but the last one."""
    width = theirs.shape[1]
    columns = width - 1 if width % 2 and width > 1 else width
    assert ours.shape == theirs.shape
    assert_close(ours[:, :columns], theirs[:, :columns])


def assert_close(ours: Pixels, theirs: Pixels, most: int = CLOSE) -> None:
    largest, mean = difference(ours, theirs)
    assert largest <= most
    assert mean < 1


@pytest.mark.parametrize("subsampling", HALVED)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_avif_has_the_colours_that_pillow_shows(decoder: Decoder, subsampling: str, size: tuple[int, int]) -> None:
    for image in (PHOTO.resize(size), drawing(size)):
        avif = encoded(image, "AVIF", subsampling=subsampling)
        for matrix in (BT_601, BT_709):
            data = with_matrix(avif, matrix)
            assert_like_pillow(decoder.decode(data).pixels, by_pillow(data))


@pytest.mark.parametrize("subsampling", [*HALVED, "4:4:4"])
def test_an_avif_of_limited_range_has_the_colours_that_pillow_shows(decoder: Decoder, subsampling: str) -> None:
    avif = encoded(PHOTO, "AVIF", subsampling=subsampling, range="limited", quality=100)
    for matrix in (BT_601, BT_709):
        data = with_matrix(avif, matrix)
        assert_close(decoder.decode(data).pixels, by_pillow(data), CLOSE_IF_LIMITED)


@pytest.mark.parametrize("subsampling", HALVED)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_avif_has_the_colours_that_pillow_shows(decoder: Decoder, subsampling: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(PHOTO.resize((122, 77)), "AVIF", subsampling=subsampling, exif=exif)
    assert_close(decoder.decode(data).pixels, by_pillow(data))


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 255)])
@pytest.mark.parametrize("subsampling", HALVED)
def test_a_transparent_avif_shows_the_background(
    decoder: Decoder, subsampling: str, background: tuple[int, int, int]
) -> None:
    image = drawing((123, 77))
    image.putalpha(RAMP.resize(image.size))
    data = encoded(image, "AVIF", subsampling=subsampling)
    assert_like_pillow(decoder.decode(data, background).pixels, by_pillow(data, background))


@pytest.mark.parametrize("subsampling", HALVED)
def test_the_tiles_of_an_avif_are_interpolated_each(decoder: Decoder, subsampling: str) -> None:
    tile = encoded(drawing((64, 48)), "AVIF", subsampling=subsampling)
    data = derived(tile, [grid(3, 2, 120, 140, [1] * 6)], (120, 140))
    expected = np.tile(by_pillow(tile), (3, 2, 1))[:140, :120]
    assert_close(decoder.decode(data).pixels, expected)
    shown_again = derived(tile, [identity(1)], (64, 48))
    assert_close(decoder.decode(shown_again).pixels, by_pillow(tile))


CODINGS = [
    Coding(subsampling, matrix, limited, bits)
    for subsampling in HALVED
    for matrix in (BT_601, BT_709)
    for limited in (False, True)
    for bits in (8, 10)
]


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_a_heic_has_the_colours_that_the_formulas_give(decoder: Decoder, coding: Coding) -> None:
    for image in (PHOTO.resize((123, 77)), drawing((123, 77))):
        planes = stored(np.asarray(image), coding)
        most = CLOSE + 1 if coding.limited else CLOSE
        assert_close(decoder.decode(heif(planes, coding, HEVC)).pixels, shown(planes, coding), most)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("subsampling", HALVED)
def test_an_avif_of_twelve_bits_has_the_colours_that_the_formulas_give(
    decoder: Decoder, subsampling: str, limited: bool
) -> None:
    coding = Coding(subsampling, BT_601, limited, bits=12)
    planes = stored(np.asarray(drawing((123, 77))), coding)
    assert_close(decoder.decode(heif(planes, coding, AV1)).pixels, shown(planes, coding))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_has_the_colours_that_the_formulas_give(decoder: Decoder, orientation: int) -> None:
    coding = Coding()
    planes = stored(np.asarray(drawing((128, 96))), coding)
    tag = Image.Exif()
    tag[ORIENTATION] = orientation
    upright = Image.fromarray(shown(planes, coding))
    upright.info["exif"] = tag.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(upright))
    assert_close(decoder.decode(heif(planes, coding, HEVC, orientation)).pixels, expected)


@pytest.mark.parametrize("subsampling", HALVED)
def test_a_transparent_heic_shows_the_background(decoder: Decoder, subsampling: str) -> None:
    coding = Coding(subsampling)
    planes = stored(np.asarray(drawing((128, 96))), coding)
    alpha = np.asarray(RAMP.resize((128, 96)))
    data = heif(planes, coding, HEVC, alpha=alpha.astype(np.uint16))
    share = alpha[..., None] / 255
    expected = np.rint(shown(planes, coding) * share + np.array([0, 0, 255]) * (1 - share)).astype(np.uint8)
    assert_close(decoder.decode(data, (0, 0, 255)).pixels, expected)


def test_the_tiles_of_a_heic_are_interpolated_each(decoder: Decoder) -> None:
    coding = Coding()
    planes = stored(np.asarray(drawing((64, 64))), coding)
    data = derived(heif(planes, coding, HEVC), [grid(3, 2, 120, 180, [1] * 6)], (120, 180))
    expected: NDArray[np.uint8] = np.tile(shown(planes, coding), (3, 2, 1))[:180, :120]
    assert_close(decoder.decode(data).pixels, expected)


def test_many_threads_decode_at_once(decoder: Decoder) -> None:
    coding = Coding()
    heic = heif(stored(np.asarray(PHOTO), coding), coding, HEVC)
    files = [heic, encoded(PHOTO, "AVIF", subsampling="4:2:0"), encoded(drawing((300, 200)), "AVIF")]
    expected = [decoder.decode(data).pixels for data in files]
    with ThreadPoolExecutor(8) as pool:
        for number, decoded in enumerate(pool.map(decoder.decode, files * 20)):
            assert np.array_equal(decoded.pixels, expected[number % len(files)])


def test_planes_are_released(decoder: Decoder) -> None:
    coding = Coding()
    large = PHOTO.resize((1024, 768))
    files = [heif(stored(np.asarray(large), coding), coding, HEVC), encoded(large, "AVIF", subsampling="4:2:0")]

    def memory() -> int:
        """Mebibytes of the JVM."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{decoder.process}/status").read_text())
        assert found is not None
        return int(found.group(1)) // 1024

    for _ in range(15):
        for data in files:
            decoder.decode(data)
    start = memory()
    for _ in range(60):
        for data in files:
            decoder.decode(data)
    assert memory() - start < 120  # 120 images of two megabytes of full planes
