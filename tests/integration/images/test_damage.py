"""What every viewer shows whole is a row; what is partly there is quarantined, or kept and marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from tests.integration.images.decoder import Decoder, Quarantined, by_pillow
from tests.integration.images.encodings import encoded

PHOTO = Image.open(Path(skimage.__file__).parent / "data/astronaut.png").convert("RGB").resize((323, 277))
END = b"\xff\xd9"
JPEGS = {
    "baseline": encoded(PHOTO, "JPEG"),
    "progressive": encoded(PHOTO, "JPEG", progressive=True),
    "grey": encoded(PHOTO.convert("L"), "JPEG"),
    "optimized": encoded(PHOTO, "JPEG", optimize=True, quality=95),
    "restarts": encoded(PHOTO, "JPEG", restart_marker_blocks=5),
    "progressive restarts": encoded(PHOTO, "JPEG", progressive=True, restart_marker_rows=2),
    "CMYK": encoded(PHOTO.convert("CMYK"), "JPEG"),
    "one colour": encoded(Image.new("RGB", (300, 200), "white"), "JPEG", optimize=True),
}
# Of other formats no library decodes a part.
PARTLY = {
    "PNG": encoded(PHOTO, "PNG"),
    "GIF": encoded(PHOTO.quantize(), "GIF"),
    "BMP": encoded(PHOTO, "BMP"),
    "TIFF": encoded(PHOTO, "TIFF"),
    "JPEG": JPEGS["baseline"],
}
NEVER = {
    "WEBP": encoded(PHOTO, "WEBP"),
    "AVIF": encoded(PHOTO, "AVIF"),
    "JPEG2000": encoded(PHOTO, "JPEG2000"),
    "TIFF with its directory at the end": encoded(PHOTO, "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(
    "trailer", [b"", b"\xff", b"\0" * 5000, b"SEFT\0\1\2vendor" * 9], ids=["none", "ff", "zeros", "vendor"]
)
def test_a_jpeg_that_lacks_only_its_end_marker_is_whole(decoder: Decoder, kind: str, trailer: bytes) -> None:
    whole = JPEGS[kind]
    assert whole.endswith(END)
    decoded = decoder.decode(whole[:-2] + trailer)
    assert not decoded.damaged
    assert np.array_equal(decoded.pixels, decoder.decode(whole).pixels)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("padding", [b"", b"\0" * 5000], ids=["cut", "filled with zeros"])
def test_a_jpeg_that_lacks_pixels_is_truncated(decoder: Decoder, kind: str, padding: bytes) -> None:
    whole = JPEGS[kind]
    for missing in (8, 20, 50, 100, 200, len(whole) // 3, len(whole) // 2):
        if missing < len(whole) - 700 or kind != "one colour":
            with pytest.raises(Quarantined) as problem:
                decoder.decode(whole[:-missing] + padding)
            assert problem.value.reason == "Truncated"


@pytest.mark.parametrize("kind", PARTLY)
def test_a_cut_image_is_truncated_or_kept_and_marked(decoder: Decoder, kind: str) -> None:
    whole = PARTLY[kind]
    cut = whole[: len(whole) * 3 // 4]
    with pytest.raises(Quarantined) as problem:
        decoder.decode(cut)
    assert problem.value.reason == "Truncated"
    kept = decoder.decode(cut, keep=True)
    assert kept.damaged
    same = (kept.pixels == by_pillow(whole)).all(axis=2).mean()
    assert 0.5 < same < 1


@pytest.mark.parametrize("kind", NEVER)
@pytest.mark.parametrize("keep", [False, True])
def test_a_cut_image_that_no_library_decodes_in_part_is_truncated(decoder: Decoder, kind: str, keep: bool) -> None:
    whole = NEVER[kind]
    with pytest.raises(Quarantined) as problem:
        decoder.decode(whole[: len(whole) * 3 // 4], keep=keep)
    assert problem.value.reason == "Truncated"


def test_whole_images_are_never_marked(decoder: Decoder) -> None:
    for data in (*JPEGS.values(), *PARTLY.values(), *NEVER.values()):
        assert not decoder.decode(data, keep=True).damaged


def test_a_png_with_damaged_metadata_is_whole(decoder: Decoder) -> None:
    plain = encoded(PHOTO, "PNG", dpi=(72, 72))
    at = plain.index(b"pHYs") + 6
    damaged = plain[:at] + b"\xaa" + plain[at + 1 :]
    decoded = decoder.decode(damaged)
    assert not decoded.damaged
    assert np.array_equal(decoded.pixels, np.asarray(PHOTO))


@pytest.mark.parametrize("ended", [False, True])
def test_a_gif_whose_data_ends_early_is_damaged_or_kept_and_marked(decoder: Decoder, ended: bool) -> None:
    whole = PARTLY["GIF"]
    at = whole.index(b",", 13 + (3 << ((whole[10] & 7) + 1))) + 11
    for _ in range(40):  # blocks of pixels
        at += 1 + whole[at]
    cut = whole[:at] + (b"\0;" if ended else b"\0")
    with pytest.raises(Quarantined) as problem:
        decoder.decode(cut)
    assert problem.value.reason == ("Damaged" if ended else "Truncated")
    kept = decoder.decode(cut, keep=True)
    assert kept.damaged
    assert 0.05 < (kept.pixels == by_pillow(whole)).all(axis=2).mean() < 1


def test_a_png_with_damaged_pixels_is_damaged(decoder: Decoder) -> None:
    plain = PARTLY["PNG"]
    middle = len(plain) // 2
    with pytest.raises(Quarantined) as problem:
        decoder.decode(plain[:middle] + b"\x55" * 40 + plain[middle + 40 :])
    assert problem.value.reason == "Damaged"
    assert "spec.decoding.damaged" in problem.value.message
