"""Images that Pillow reads but does not write, put together byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from tests.integration.images.encodings import Encoding, encoded

SHORT, LONG, SIGNED_BYTES = 3, 4, 2


def rare(photo: Image.Image) -> Iterator[Encoding]:
    """Encodings of an RGB photograph that Pillow decodes."""
    yield from _bitmaps(photo)
    yield from _jpeg_2000(photo)
    yield from _png(photo)
    yield from _tiff(photo)
    yield from _gif(photo)
    yield from _webp(photo)
    yield from _avif(photo)


def dib(photo: Image.Image) -> bytes:
    """A BMP without its file header, as the Windows clipboard holds it."""
    return encoded(photo, "BMP")[14:]


def bitmap(
    image: Image.Image, bits: int, compression: int, masks: tuple[int, ...], pixels: bytes, size: int = 40
) -> bytes:
    """A BMP whose rows are stored from the last one on; masks are part of a header of more than 40 bytes."""
    header = struct.pack("<IiiHHIIiiII", size, *image.size, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    header = (header + struct.pack(f"<{len(masks)}I", *masks)).ljust(size, b"\0")
    if bits <= 8:
        header += b"".join(struct.pack("<BBBB", 7 * i % 256, 255 - i, i, 0) for i in range(1 << bits))
    offset = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + pixels


def _bitmaps(photo: Image.Image) -> Iterator[Encoding]:
    red, green, blue = (channel.astype(np.uint16) for channel in np.moveaxis(np.asarray(photo)[::-1], 2, 0))
    layouts = {
        "16 bits, 5 each": (0, (), (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3),
        "16 bits with masks of 5, 6 and 5": (
            3,
            (0xF800, 0x7E0, 0x1F),
            (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3,
        ),
    }
    for name, (compression, masks, pixels) in layouts.items():
        for size in (40, 56) if masks else (40,):
            rows = np.pad(pixels, ((0, 0), (0, photo.width % 2))).astype("<u2").tobytes()
            own = (*masks, 0) if size == 56 else masks
            yield Encoding(f"{name}, header of {size}", "BMP", bitmap(photo, 16, compression, own, rows, size), 1)
    grey = np.asarray(photo.convert("L"))[::-1]
    literal = b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in grey) + b"\0\1"
    yield Encoding("runs of 8 bits", "BMP", bitmap(photo, 8, 1, (), literal))
    nibbles = b"".join(b"".join(bytes((1, value & 0xF0)) for value in row) + b"\0\0" for row in grey) + b"\0\1"
    yield Encoding("runs of 4 bits", "BMP", bitmap(photo, 4, 2, (), nibbles))
    overlong = b"".join(bytes((250, row[0])) + b"\0\0" for row in grey) + b"\0\1"
    yield Encoding("runs longer than their row", "BMP", bitmap(photo, 8, 1, (), overlong))


def _jpeg_2000(photo: Image.Image) -> Iterator[Encoding]:
    yield Encoding(
        "image away from the origin", "JPEG 2000", encoded(photo, "JPEG2000", offset=(15, 30), tile_size=(200, 200)), 1
    )
    tiles = encoded(photo, "JPEG2000", offset=(15, 30), tile_size=(64, 64), tile_offset=(5, 5))
    yield Encoding("tiles away from the origin", "JPEG 2000", tiles, 1)
    colours = np.array([(i, 255 - i, i // 2) for i in range(256)], np.uint8)
    yield Encoding("palette", "JPEG 2000", with_palette(photo.convert("L"), colours))


def with_palette(grey: Image.Image, colours: NDArray[np.uint8], order: tuple[int, ...] = ()) -> bytes:
    """A JPEG 2000 whose samples are indices of colours; an order says which column is red (1), green and blue."""
    data = encoded(grey, "JPEG2000")
    palette = struct.pack(">HB", 256, 3) + b"\7\7\7" + colours.tobytes()
    boxes = _box(b"pclr", palette) + _box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, i) for i in range(3)))
    if order:
        channels = b"".join(struct.pack(">HHH", number, 0, colour) for number, colour in enumerate(order))
        boxes += _box(b"cdef", struct.pack(">H", len(order)) + channels)
    at = data.index(b"jp2h") - 4
    end = at + struct.unpack(">I", data[at : at + 4])[0]
    header = data[at + 8 : end].replace(b"colr\1\0\0\0\0\0\x11", b"colr\1\0\0\0\0\0\x10")
    return data[:at] + _box(b"jp2h", header + boxes) + data[end:]


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _png(photo: Image.Image) -> Iterator[Encoding]:
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = exif.tobytes()
    text = f"\nexif\n{len(profile):8}\n{profile.hex()}\n"
    for compressed in (False, True):
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", text, compressed)
        yield Encoding(f"orientation in text, {compressed}", "PNG", encoded(photo, "PNG", pnginfo=info))
    plain = encoded(photo.quantize(16), "PNG", transparency=3)
    palette, alpha = (plain.index(name) - 4 for name in (b"PLTE", b"tRNS"))
    length = 12 + struct.unpack(">I", plain[alpha : alpha + 4])[0]
    chunk = plain[alpha : alpha + length]
    yield Encoding(
        "transparent colour before the palette",
        "PNG",
        plain[:palette] + chunk + plain[palette:alpha] + plain[alpha + length :],
    )


def _tiff(photo: Image.Image) -> Iterator[Encoding]:
    alpha = np.tile(np.linspace(0, 255, photo.width), (photo.height, 1))
    colours = np.asarray(photo) * alpha[:, :, None] / 255
    multiplied = Image.fromarray(np.dstack([colours, alpha]).astype(np.uint8))
    for compression in ("raw", "tiff_lzw"):
        data = encoded(multiplied, "TIFF", tiffinfo={338: 1}, compression=compression)
        yield Encoding(f"colours multiplied by alpha, {compression}", "TIFF", data, 2)
    yield Encoding("planes in tiles", "TIFF", planes_in_tiles(photo))
    yield Encoding("signed", "TIFF", encoded(photo.convert("L"), "TIFF", tiffinfo={339: SIGNED_BYTES}))


def planes_in_tiles(photo: Image.Image, side: int = 32) -> bytes:
    """A TIFF of one plane per channel, in tiles."""
    padded = np.pad(np.asarray(photo), ((0, -photo.height % side), (0, -photo.width % side), (0, 0)))
    tiles = [
        zlib.compress(padded[y : y + side, x : x + side, channel].tobytes())
        for channel in range(3)
        for y in range(0, padded.shape[0], side)
        for x in range(0, padded.shape[1], side)
    ]
    tags = {256: photo.width, 257: photo.height, 259: 8, 262: 2, 277: 3, 284: 2, 322: side, 323: side}
    buffer = io.BytesIO()
    entries = {**{tag: (LONG, [value]) for tag, value in tags.items()}, 258: (SHORT, [8, 8, 8])}
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    lists = start + 6 + 8 * len(tiles)
    offsets = [lists + sum(map(len, tiles[:i])) for i in range(len(tiles))]
    entries |= {324: (LONG, offsets), 325: (LONG, [len(tile) for tile in tiles])}
    places = {258: start, 324: start + 6, 325: start + 6 + 4 * len(tiles)}
    buffer.write(b"II*\0" + struct.pack("<IH", 8, len(entries)))
    for tag, (kind, values) in sorted(entries.items()):
        buffer.write(struct.pack("<HHII", tag, kind, len(values), places.get(tag, values[0])))
    buffer.write(struct.pack("<I3H", 0, 8, 8, 8) + struct.pack(f"<{2 * len(tiles)}I", *offsets, *entries[325][1]))
    return buffer.getvalue() + b"".join(tiles)


def _gif(photo: Image.Image) -> Iterator[Encoding]:
    whole = encoded(photo.quantize(16), "GIF")
    colours = 13 + (3 << ((whole[10] & 7) + 1))
    frame = whole.index(b",", colours)
    places = {
        "on a larger canvas": (photo.width + 20, photo.height + 10, 7, 5),
        "on a smaller canvas": (20, 10, 7, 5),
    }
    for name, (width, height, left, top) in places.items():
        canvas, descriptor = struct.pack("<HH", width, height), struct.pack("<cHH", b",", left, top)
        for background in (0, 3):
            head = whole[:6] + canvas + whole[10:11] + bytes([background]) + whole[12:frame]
            yield Encoding(f"{name}, background {background}", "GIF", head + descriptor + whole[frame + 5 :])
        own = whole[frame + 5 : frame + 9] + bytes([0x80 | whole[10] & 7]) + whole[13:colours] + whole[frame + 10 :]
        head = whole[:6] + canvas + bytes([whole[10] & 0x7F, 3, 0])
        yield Encoding(f"{name}, with its own palette", "GIF", head + descriptor + own)


def _webp(photo: Image.Image) -> Iterator[Encoding]:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(encoded(photo, "WEBP", lossless=True, exif=exif))
    yield Encoding("orientation", "WebP", bytes(data))
    data[20] &= ~8
    yield Encoding("orientation that its header does not announce", "WebP", bytes(data))


def _avif(photo: Image.Image) -> Iterator[Encoding]:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    yield Encoding("orientation in XMP", "AVIF", encoded(photo, "AVIF", subsampling="4:4:4", xmp=xmp), 1)
    packet = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>' + xmp + b'<?xpacket end="w"?>'
    packed = encoded(photo, "AVIF", subsampling="4:4:4", xmp=packet)
    yield Encoding("orientation in XMP with a packet header", "AVIF", packed, 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    packed = encoded(photo, "AVIF", subsampling="4:4:4", exif=exif, xmp=packet)
    yield Encoding("orientation in EXIF and another in an XMP packet", "AVIF", packed, 1)
    turned = encoded(photo, "AVIF", subsampling="4:4:4", exif=exif, xmp=xmp)
    yield Encoding("orientation in EXIF and another in XMP", "AVIF", turned, 1)


def without_last_property(avif: bytes) -> bytes:
    """The same file, whose last item, its alpha, lacks its last property, its orientation."""
    at = avif.index(b"ipma") - 4
    last = at + struct.unpack(">I", avif[at : at + 4])[0] - 1
    return avif[:last] + b"\0" + avif[last + 1 :]
