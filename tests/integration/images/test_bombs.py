"""Small files that claim to be large, or hold more than they claim, are refused before memory is taken."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integration.images.decoder import Decoder, Quarantined
from tests.integration.images.derived import Item, derived, grid, identity, overlay, with_extents
from tests.integration.images.encodings import encoded

SIDE = 30_000
LARGE = 65_535
SMALL = Image.new("RGB", (64, 48), "teal")
MOST_MEBIBYTES = 200  # of an image that would take gigabytes


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, new)


def tiff(tag: int, value: int) -> bytes:
    """A TIFF of which one tag of one number has another value."""
    data = encoded(SMALL, "TIFF")
    (start,) = struct.unpack("<I", data[4:8])
    for at in range(start + 2, len(data) - 11, 12):
        if data[at : at + 2] == struct.pack("<H", tag):
            return data[:at] + struct.pack("<HHII", tag, 4, 1, value) + data[at + 12 :]
    raise AssertionError(f"no tag {tag}")


def jpeg_2000(**values: int) -> bytes:
    """A JPEG 2000 codestream with other numbers in its SIZ segment."""
    data = bytearray(encoded(SMALL, "JPEG2000", no_jp2=True))
    for name, value in values.items():
        index = ("width", "height", "x", "y", "tile_width", "tile_height").index(name)
        struct.pack_into(">I", data, 8 + 4 * index, value)
    return bytes(data)


@pytest.fixture
def peak(decoder: Decoder) -> Iterator[Callable[[], int]]:
    """Returns the mebibytes by which the JVM's memory grew at its peak."""
    process = Path("/proc") / str(decoder.process)
    (process / "clear_refs").write_text("5")  # resets the peak

    def read(field: str) -> int:
        found = re.search(rf"{field}:\s+(\d+)", (process / "status").read_text())
        assert found is not None
        return int(found.group(1)) // 1024

    start = read("VmRSS")
    yield lambda: read("VmHWM") - start


def test_a_claimed_size_is_known_without_memory(decoder: Decoder, peak: Callable[[], int]) -> None:
    bombs = {
        "JPEG 2000": jpeg_2000(width=SIDE, height=SIDE, tile_width=SIDE, tile_height=SIDE),
        "TIFF": tiff(256, SIDE),
    }
    for name, data in bombs.items():
        assert decoder.size(data)[0] == SIDE, name
    assert peak() < MOST_MEBIBYTES


def test_the_canvas_of_a_gif_is_known_without_memory(decoder: Decoder, peak: Callable[[], int]) -> None:
    gif = encoded(SMALL.quantize(4), "GIF")
    assert decoder.size(gif[:6] + struct.pack("<HH", LARGE, LARGE) + gif[10:]) == (LARGE, LARGE)
    assert peak() < MOST_MEBIBYTES


def test_an_avif_whose_header_claims_more_than_its_frame_has_is_refused(
    decoder: Decoder, peak: Callable[[], int]
) -> None:
    avif, size = encoded(SMALL, "AVIF"), struct.pack(">II", *SMALL.size)
    for side in (20_000, SIDE):
        bomb = replaced(avif, b"ispe\0\0\0\0" + size, b"ispe\0\0\0\0" + struct.pack(">II", side, side))
        with pytest.raises(Quarantined):
            if decoder.size(bomb) == (side, side):
                raise Quarantined("TooManyPixels", "the limit on pixels refuses it")
            decoder.decode(bomb)
    assert peak() < MOST_MEBIBYTES


def test_numbers_in_a_tiff_that_exceed_the_file_take_no_memory(decoder: Decoder, peak: Callable[[], int]) -> None:
    for tag in (278, 279):  # RowsPerStrip, StripByteCounts
        try:
            assert decoder.decode(tiff(tag, 0xFFFFFFF0)).pixels.shape == (48, 64, 3)
        except Quarantined as problem:
            assert problem.reason in {"Truncated", "Damaged", "NotAnImage"}
    assert peak() < MOST_MEBIBYTES


def test_a_coded_frame_larger_than_its_avif_is_refused(decoder: Decoder, peak: Callable[[], int]) -> None:
    large = encoded(Image.new("L", (4200, 4200)), "AVIF", speed=10, subsampling="4:0:0", autotiling=False)
    bomb = replaced(
        large, b"ispe\0\0\0\0" + struct.pack(">II", 4200, 4200), b"ispe\0\0\0\0" + struct.pack(">II", 64, 64)
    )
    with pytest.raises(Quarantined, match="larger than the image") as problem:
        decoder.decode(bomb)
    assert problem.value.reason == "Unsupported"
    assert peak() < MOST_MEBIBYTES


@pytest.mark.parametrize(("tile", "channels"), [(1, 3), (64, 16_384)])
def test_a_jpeg_2000_of_countless_tiles_or_channels_is_refused(
    decoder: Decoder, peak: Callable[[], int], tile: int, channels: int
) -> None:
    data = bytearray(jpeg_2000(width=6000, height=6000, tile_width=tile, tile_height=tile))
    struct.pack_into(">H", data, 40, channels)
    with pytest.raises(Quarantined) as problem:
        decoder.decode(bytes(data))
    assert problem.value.reason == "Unsupported"
    assert peak() < MOST_MEBIBYTES


TILE = encoded(SMALL, "AVIF")
TILES = {
    "AVIF": TILE,
    # 64x48 pixels of one colour, coded by x265: Pillow does not write HEIC
    "HEIC": base64.b64decode(
        "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
        "AAAAAERAAAEAAQAAAAABoQABAAAAAAAAAB0AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/Wlw"
        "cnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AA"
        "AAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAA"
        "QAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAf////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWB"
        "AgMFhAAAACVtZGF0AAAAGSgBrxOA+BDhp//6uKK/1K1f+n+S/OikM+A="
    ),
}
LOOP = [grid(1, 1, *SMALL.size, [3]), grid(1, 1, *SMALL.size, [2])]
HOSTILE: dict[str, tuple[list[Item], tuple[int, int], str]] = {
    "grid of a large canvas": ([grid(2, 2, LARGE, LARGE, [1] * 4)], SMALL.size, "canvas is larger"),
    "grid whose area overflows": ([grid(2, 2, 2**32 - 1, 2**32 - 1, [1] * 4)], SMALL.size, "canvas is larger"),
    "overlay of a large canvas": ([overlay(LARGE, LARGE, [1])], SMALL.size, "canvas is larger"),
    "grid in a grid": ([grid(1, 1, LARGE, LARGE, [1]), grid(1, 1, *SMALL.size, [2])], SMALL.size, "canvas is larger"),
    "grid of itself": ([grid(1, 1, *SMALL.size, [2])], SMALL.size, "too many images"),
    "grids of each other": (LOOP, SMALL.size, "too many images"),
    "image that shows itself": ([identity(2)], SMALL.size, "too many images"),
    "overlay of itself": ([overlay(*SMALL.size, [2])], SMALL.size, "too many images"),
    "tiles that multiply": (
        [grid(16, 16, *SMALL.size, [number] * 256) for number in (1, 2, 3)],
        SMALL.size,
        "parts have more pixels|more than 16384 parts",
    ),
    "overlay of many": ([overlay(*SMALL.size, [1] * 20_000)], SMALL.size, "parts have more pixels|more than 16384"),
}


@pytest.mark.parametrize("kind", TILES)
@pytest.mark.parametrize("name", HOSTILE)
def test_an_image_derived_from_more_than_it_shows_is_refused(
    decoder: Decoder, peak: Callable[[], int], kind: str, name: str
) -> None:
    items, size, message = HOSTILE[name]
    with pytest.raises(Quarantined, match=f"{kind} .*({message})") as problem:
        decoder.decode(derived(TILES[kind], items, size))
    assert problem.value.reason == "Unsupported"
    assert peak() < MOST_MEBIBYTES


@pytest.mark.parametrize("kind", TILES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_auxiliary_images_of_each_other_are_refused(
    decoder: Decoder, peak: Callable[[], int], kind: str, count: int
) -> None:
    loop = [identity(2 + (number + 1) % count) for number in range(count)]
    with pytest.raises(Quarantined, match="too many images") as problem:
        decoder.decode(derived(TILES[kind], loop, SMALL.size).replace(b"dimg", b"auxl"))
    assert problem.value.reason == "Unsupported"
    assert peak() < MOST_MEBIBYTES


@pytest.mark.parametrize("kind", TILES)
@pytest.mark.parametrize("length", [0, 500_000])
def test_an_item_that_holds_the_file_many_times_is_refused(
    decoder: Decoder, peak: Callable[[], int], kind: str, length: int
) -> None:
    with pytest.raises(Quarantined, match="items hold more bytes than the file") as problem:
        decoder.decode(with_extents(TILES[kind], 65_535, length))
    assert problem.value.reason == "Unsupported"
    assert peak() < MOST_MEBIBYTES


def test_the_size_of_a_grid_is_known_without_memory(decoder: Decoder, peak: Callable[[], int]) -> None:
    data = derived(TILE, [grid(256, 256, LARGE, LARGE, [1] * 10)], (LARGE, LARGE))
    try:
        assert decoder.size(data) == (LARGE, LARGE)
    except Quarantined as problem:
        assert problem.reason in {"Unsupported", "NotAnImage"}
    assert peak() < MOST_MEBIBYTES


def test_a_grid_may_show_one_tile_many_times(decoder: Decoder) -> None:
    tile = decoder.decode(TILE).pixels
    width, height = SMALL.size
    shared = derived(TILE, [grid(3, 2, 2 * width, 3 * height, [1] * 6)], (2 * width, 3 * height))
    assert np.array_equal(decoder.decode(shared).pixels, np.tile(tile, (3, 2, 1)))
