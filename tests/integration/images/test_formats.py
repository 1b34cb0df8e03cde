"""Every format and container decodes to Pillow's pixels; odd files as people keep them become what they should."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage
from featx_api.formats import ImageFormat
from PIL import Image

from tests.integration.images import encodings
from tests.integration.images.decoder import Decoder, Pixels, Quarantined, by_pillow, difference
from tests.integration.images.encodings import Encoding, encoded

ODD = Path(__file__).parents[3] / "jobimage/java/src/test/resources/images"
PHOTO = Image.open(Path(skimage.__file__).parent / "data/astronaut.png").convert("RGB").resize((123, 77))
ALL = list(encodings.encodings(PHOTO))
TURNED = list(encodings.orientations(PHOTO))
UNSUPPORTED = {"c_12bit.jpg": "12 bits", "c_dnl_height0.jpg": "DNL"}
OTHERS = {
    "o_html.jpg": "HTML page",
    "o_b64.jpg": "base64",
    "o_gitlfs.jpg": "Git LFS pointer",
    "o_gz.jpg": "gzip",
    "o_ico.ico": "ICO",
    "o_ppm.ppm": "PPM",
    "o_svg.svg": "SVG",
}
# Pillow alone does not read these; they show the base image.
WITHOUT_REFERENCE = {"h_heic.heic": 120, "j_no_eoi.jpg": 12}
ROUNDED = {"a_plain.avif": 1, "c_cmyk_adobe.jpg": 1, "c_cmyk_noadobe.jpg": 1}
DECODED = sorted(path.name for path in ODD.iterdir() if path.name not in {*UNSUPPORTED, *OTHERS, *WITHOUT_REFERENCE})
BASE = by_pillow((ODD / "00_base.png").read_bytes())


def assert_close(ours: Pixels, theirs: Pixels, tolerance: int) -> None:
    largest, _ = difference(ours, theirs)
    assert largest <= tolerance


def name_of(encoding: Encoding) -> str:
    return f"{encoding.format}, {encoding.name}"


@pytest.mark.parametrize("encoding", ALL, ids=name_of)
def test_every_container_decodes_to_the_pixels_of_pillow(decoder: Decoder, encoding: Encoding) -> None:
    decoded = decoder.decode(encoding.data)
    assert not decoded.damaged
    assert_close(decoded.pixels, by_pillow(encoding.data), encoding.tolerance)


def test_every_format_has_containers_or_a_file_that_is_decoded() -> None:
    assert {encoding.format for encoding in ALL} | {ImageFormat.HEIC.value} == {one.value for one in ImageFormat}


@pytest.mark.parametrize("encoding", TURNED, ids=name_of)
def test_every_container_is_turned_upright_as_pillow_does(decoder: Decoder, encoding: Encoding) -> None:
    assert_close(decoder.decode(encoding.data).pixels, by_pillow(encoding.data), encoding.tolerance)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 0, 128)])
def test_transparent_pixels_show_the_background_in_every_format(
    decoder: Decoder, background: tuple[int, int, int]
) -> None:
    transparent = [one for one in ALL if "alpha" in one.name or "transparent" in one.name or "A" in one.name]
    assert {one.format for one in transparent} >= {"PNG", "GIF", "WebP", "TIFF", "BMP", "AVIF", "JPEG 2000"}
    for one in transparent:
        assert_close(decoder.decode(one.data, background).pixels, by_pillow(one.data, background), 1)


@pytest.mark.parametrize("name", DECODED)
def test_odd_files_decode_to_the_pixels_of_pillow(decoder: Decoder, name: str) -> None:
    data = (ODD / name).read_bytes()
    decoded = decoder.decode(data)
    assert not decoded.damaged
    assert_close(decoded.pixels, by_pillow(data), ROUNDED.get(name, 0))


@pytest.mark.parametrize("name", WITHOUT_REFERENCE)
def test_files_that_pillow_cannot_read_show_the_image(decoder: Decoder, name: str) -> None:
    decoded = decoder.decode((ODD / name).read_bytes())
    assert not decoded.damaged
    _, mean = difference(decoded.pixels, BASE)
    assert_close(decoded.pixels, BASE, WITHOUT_REFERENCE[name])
    assert mean < 3


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_rare_jpegs_are_rejected_for_what_they_are(decoder: Decoder, name: str) -> None:
    with pytest.raises(Quarantined, match=UNSUPPORTED[name]) as problem:
        decoder.decode((ODD / name).read_bytes())
    assert problem.value.reason == "Unsupported"


@pytest.mark.parametrize("name", OTHERS)
def test_other_content_is_named_and_never_quoted(decoder: Decoder, name: str) -> None:
    data = (ODD / name).read_bytes()
    with pytest.raises(Quarantined, match=OTHERS[name]) as problem:
        decoder.decode(data)
    assert problem.value.reason == "NotAnImage"
    assert data[:12].decode("latin-1") not in problem.value.message


def test_the_size_is_known_before_decoding_in_every_format(decoder: Decoder) -> None:
    for encoding in ALL:
        with Image.open(io.BytesIO(encoding.data)) as image:
            assert decoder.size(encoding.data) == image.size, name_of(encoding)


def test_bombs_are_known_by_their_header(decoder: Decoder) -> None:
    """Small files that claim 30000x30000 pixels or more have that size before any pixel is decoded."""
    side = 30_000
    png = encoded(PHOTO, "PNG")
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    gif, bmp = encoded(PHOTO.quantize(4), "GIF"), encoded(PHOTO, "BMP")
    frame = gif.index(b",\0\0\0\0") + 5
    webp = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * (16_382).to_bytes(3, "little") + b"\0" * 8
    j2k = encoded(PHOTO, "JPEG2000", no_jp2=True)
    bombs = {
        "PNG": png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:],
        "GIF": gif[:6]
        + struct.pack("<HH", side, side)
        + gif[10:frame]
        + struct.pack("<HH", side, side)
        + gif[frame + 4 :],
        "BMP": bmp[:18] + struct.pack("<ii", side, side) + bmp[26:],
        "JPEG 2000": j2k[:8] + struct.pack(">6I", side, side, 0, 0, side, side) + j2k[32:],
    }
    for name, data in bombs.items():
        assert decoder.size(data) == (side, side), name
    assert decoder.size(webp) == (16_383, 16_383)


def test_animated_images_are_sized_by_their_canvas(decoder: Decoder) -> None:
    (one,) = [encoding for encoding in ALL if "canvas" in encoding.name]
    decoded = decoder.decode(one.data).pixels
    assert decoded.shape[:2] == (PHOTO.height + 10, PHOTO.width + 20)
    assert np.array_equal(decoded, by_pillow(one.data))
