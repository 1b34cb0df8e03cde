"""Files that are rare in tests and common in the wild; of each the kind was found in another project's bug reports."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image, ImageCms

from tests.integration.images import rare
from tests.integration.images.decoder import Decoder, Pixels, Quarantined, by_pillow, difference
from tests.integration.images.encodings import Encoding, encoded

PHOTO = Image.open(Path(skimage.__file__).parent / "data/astronaut.png").convert("RGB").resize((123, 77))
RARE = list(rare.rare(PHOTO))
TGAS: list[dict[str, Any]] = [{}, {"compression": "tga_rle"}, {"id_section": b"a name"}]
GREY = np.asarray(PHOTO.convert("L").convert("RGB"))


def name_of(encoding: Encoding) -> str:
    return f"{encoding.format}, {encoding.name}"


@pytest.mark.parametrize("encoding", RARE, ids=name_of)
def test_rare_files_decode_to_the_pixels_of_pillow(decoder: Decoder, encoding: Encoding) -> None:
    decoded = decoder.decode(encoding.data)
    assert not decoded.damaged
    assert difference(decoded.pixels, by_pillow(encoding.data))[0] <= encoding.tolerance


def test_the_columns_of_a_jpeg_2000s_palette_are_the_colours_that_it_says(decoder: Decoder) -> None:
    colours = np.array([(0 if i < 9 else i, 255 - i, i // 2) for i in range(256)], np.uint8)
    colours[:9] = 0  # Pillow counts equal colours once, and moves all after them
    grey = PHOTO.convert("L")
    decoded = decoder.decode(rare.with_palette(grey, colours, order=(2, 3, 1))).pixels
    assert np.array_equal(decoded, colours[np.asarray(grey)][..., [2, 0, 1]])


def test_the_transparent_grey_of_a_png_of_16_bits_shows_the_background(decoder: Decoder) -> None:
    grey = np.asarray(PHOTO.convert("L")).astype(np.uint16) * 257 + 1
    value = int(grey[5, 5])
    png = encoded(Image.fromarray(grey), "PNG", transparency=value)
    expected = np.where(
        (grey == value)[..., None], np.array([0, 0, 255], np.uint8), (grey >> 8).astype(np.uint8)[..., None]
    )
    assert np.array_equal(decoder.decode(png, (0, 0, 255)).pixels, expected)


def test_a_bitmap_without_file_header_is_an_image(decoder: Decoder) -> None:
    assert np.array_equal(decoder.decode(rare.dib(PHOTO)).pixels, np.asarray(PHOTO))


def test_runs_that_end_early_are_truncated_or_kept_and_marked(decoder: Decoder) -> None:
    (runs,) = [encoding for encoding in RARE if encoding.name == "runs of 8 bits"]
    with pytest.raises(Quarantined) as problem:
        decoder.decode(runs.data[:-6000])
    assert problem.value.reason == "Truncated"
    kept = decoder.decode(runs.data[:-6000], keep=True)
    assert kept.damaged
    assert (kept.pixels == by_pillow(runs.data)).all(axis=2).mean() > 0.5


def with_limited_range(avif: bytes) -> bytes:
    """The same file, whose luma is said to be from 16 to 235."""
    at = avif.index(b"colrnclx") + 14
    return avif[:at] + bytes([avif[at] & 0x7F]) + avif[at + 1 :]


def test_a_grey_avif_of_limited_range_has_black_and_white(decoder: Decoder) -> None:
    full = encoded(PHOTO.convert("L"), "AVIF", subsampling="4:0:0", range="full", quality=100)
    assert difference(decoder.decode(full).pixels, GREY)[0] <= 2
    expected = np.clip((GREY.astype(float) - 16) * 255 / 219, 0, 255)
    assert np.abs(decoder.decode(with_limited_range(full)).pixels - expected).max() <= 3


def test_a_last_box_without_a_size_runs_to_the_end_of_the_file(decoder: Decoder) -> None:
    avif = encoded(PHOTO, "AVIF")
    at = avif.index(b"mdat") - 4
    assert at + struct.unpack(">I", avif[at : at + 4])[0] == len(avif)
    decoded = decoder.decode(avif[:at] + b"\0\0\0\0" + avif[at + 4 :])
    assert np.array_equal(decoded.pixels, decoder.decode(avif).pixels)


@pytest.mark.parametrize(
    ("codec", "name"), [(b"unci", "uncompressed pixels"), (b"avc1", "H.264"), (b"j2k1", "JPEG 2000")]
)
def test_another_codec_in_a_heif_container_is_named(decoder: Decoder, codec: bytes, name: str) -> None:
    avif = encoded(PHOTO, "AVIF")
    at = avif.index(b"av01", avif.index(b"infe"))
    with pytest.raises(Quarantined, match=name) as problem:
        decoder.decode(avif[:at] + codec + avif[at + 4 :])
    assert problem.value.reason == "Unsupported"


@pytest.mark.parametrize("turned", [1, 2, 3])
def test_an_avif_whose_transparency_is_not_turned_with_its_colours_is_named(decoder: Decoder, turned: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = {1: 8, 2: 3, 3: 6}[turned]
    image = PHOTO.copy()
    image.putalpha(Image.linear_gradient("L").resize(PHOTO.size))
    avif = encoded(image, "AVIF", exif=exif, subsampling="4:4:4", quality=100)
    assert difference(decoder.decode(avif).pixels, by_pillow(avif))[0] <= 2
    with pytest.raises(Quarantined, match="turned or cropped in another way") as problem:
        decoder.decode(rare.without_last_property(avif))
    assert problem.value.reason == "Unsupported"


def test_a_tiff_of_twelve_bits_is_named(decoder: Decoder) -> None:
    with pytest.raises(Quarantined, match="12 bits per channel") as problem:
        decoder.decode(
            encoded(PHOTO.convert("L"), "TIFF").replace(
                struct.pack("<HHIH", 258, 3, 1, 8), struct.pack("<HHIH", 258, 3, 1, 12)
            )
        )
    assert problem.value.reason == "Unsupported"


@pytest.mark.parametrize(
    ("mode", "tags", "name"),
    [
        ("RGB", {262: 32803}, "raw samples"),
        ("RGB", {262: 9}, "ICC or ITU"),
        ("F", {}, "not whole numbers"),
        ("I", {}, "numbers of 32 bits|32 bits per channel"),
        ("I;16", {339: 2}, "signed numbers of 16 bits"),
    ],
)
def test_a_tiff_whose_samples_would_be_shown_black_or_white_is_named(
    decoder: Decoder, mode: str, tags: dict[int, int], name: str
) -> None:
    image = PHOTO if mode == "RGB" else PHOTO.convert("L").convert(mode)
    with pytest.raises(Quarantined, match=name) as problem:
        decoder.decode(encoded(image, "TIFF", tiffinfo=tags))
    assert problem.value.reason == "Unsupported"
    assert "8-bit JPEG or PNG" in problem.value.message


@pytest.mark.parametrize(("compression", "name"), [(34712, "34712, JPEG 2000"), (50002, "50002")])
def test_a_tiff_of_a_compression_that_is_not_decoded_is_named(decoder: Decoder, compression: int, name: str) -> None:
    tiff = encoded(PHOTO, "TIFF", compression="tiff_lzw")
    entry = struct.pack("<HHI", 259, 3, 1)
    data = tiff.replace(entry + struct.pack("<H", 5), entry + struct.pack("<H", compression))
    for keep in (False, True):
        with pytest.raises(Quarantined, match=f"a TIFF of compression {name};") as problem:
            decoder.decode(data, keep=keep)
        assert problem.value.reason == "Unsupported"


def test_a_jpeg_ls_is_named(decoder: Decoder) -> None:
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, 77, 123, 1) + b"\1\x11\0"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\1\1\0\0\0\0" + b"\xff\x7f" * 50
    with pytest.raises(Quarantined, match="a JPEG-LS image") as problem:
        decoder.decode(frame + scan + b"\xff\xd9")
    assert problem.value.reason == "Unsupported"


def test_a_tga_is_not_taken_for_an_icon(decoder: Decoder) -> None:
    for kind, name in (("TGA", "TGA image"), ("ICO", "ICO icon"), ("PCX", "PCX image")):
        with pytest.raises(Quarantined, match=name):
            decoder.decode(encoded(PHOTO, kind))
    for mode in ("L", "P", "RGBA"):
        for options in TGAS:
            tga = encoded(PHOTO.convert(mode), "TGA", **options)
            with pytest.raises(Quarantined, match="TGA image"):
                decoder.decode(tga.removesuffix(tga[-26:]) if tga.endswith(b"TRUEVISION-XFILE.\0") else tga)


def test_a_file_of_one_byte_is_no_image(decoder: Decoder) -> None:
    for value in b"\0\1\xffABGIPR\x89":
        with pytest.raises(Quarantined, match=r"^NotAnImage: 1 byte[ ;]") as problem:
            decoder.size(bytes([value]))
        assert problem.value.reason == "NotAnImage"


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 255)])
def test_colours_of_an_avif_that_are_multiplied_by_alpha_are_divided(
    decoder: Decoder, background: tuple[int, int, int]
) -> None:
    image = PHOTO.copy()
    image.putalpha(Image.linear_gradient("L").resize(PHOTO.size))
    data = encoded(image, "AVIF", alpha_premultiplied=True, subsampling="4:4:4", quality=100)
    assert b"prem" in data
    assert difference(decoder.decode(data, background).pixels, by_pillow(data, background))[0] <= 8


def test_a_profile_of_megabytes_is_converted(decoder: Decoder) -> None:
    profile = wide_gamut() + bytes(2 << 20)
    long = struct.pack(">I", len(profile)) + profile[4:]
    decoded = decoder.decode(encoded(PHOTO, "TIFF", icc_profile=long)).pixels
    assert difference(decoded, in_srgb(PHOTO, wide_gamut()))[0] <= 1


def wide_gamut() -> bytes:
    """A profile whose red and green are exchanged: no viewer could miss it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


def in_srgb(image: Image.Image, profile: bytes) -> Pixels:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    assert converted is not None
    return np.asarray(converted)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_icc_profile_is_converted_to_srgb_in_every_format(decoder: Decoder, kind: str) -> None:
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    plain = decoder.decode(encoded(PHOTO, kind, **options)).pixels
    tagged = encoded(PHOTO, kind, icc_profile=wide_gamut(), **options)
    assert difference(decoder.decode(tagged).pixels, in_srgb(Image.fromarray(plain), wide_gamut()))[0] <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_profile_of_srgb_changes_no_pixel(decoder: Decoder, kind: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, tagged = encoded(PHOTO, kind), encoded(PHOTO, kind, icc_profile=srgb)
    assert np.array_equal(decoder.decode(tagged).pixels, decoder.decode(plain).pixels)
