"""One photograph in every format and container that Pillow writes, for tests and for the page of formats."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

ORIENTATION = 0x0112
XMP = '<rdf:Description tiff:Orientation="6"/>'


class Encoding(NamedTuple):
    """An encoded image.

    Attributes:
        name: What is special about it.
        format: Label of its format.
        data: The file.
        tolerance: Largest difference from Pillow of any channel of any pixel.
    """

    name: str
    format: str
    data: bytes
    tolerance: int = 0


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encodings(photo: Image.Image) -> Iterator[Encoding]:
    """All encodings of an RGB photograph."""
    modes = _modes(photo)
    yield from _jpeg(photo, modes)
    yield from _png(photo, modes)
    yield from _gif(photo, modes)
    yield from _webp(photo, modes)
    yield from _tiff(photo, modes)
    yield from _bmp(modes)
    yield from _avif(photo, modes)
    yield from _jpeg_2000(photo, modes)


def orientations(photo: Image.Image) -> Iterator[Encoding]:
    """The photograph with each value of the EXIF orientation, in each container that holds one."""
    lossless: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "AVIF": {"subsampling": "4:4:4"}}
    for value in range(10):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
            data = encoded(photo, kind, exif=exif, **lossless.get(kind, {}))
            yield Encoding(f"orientation {value}", kind, data, 1 if kind == "AVIF" else 0)
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP)
    yield Encoding("orientation in XMP", "PNG", encoded(photo, "PNG", pnginfo=text))
    for kind in ("JPEG", "WEBP"):
        yield Encoding("orientation in XMP", kind, encoded(photo, kind, xmp=XMP.encode(), **lossless.get(kind, {})))


def _modes(photo: Image.Image) -> dict[str, Image.Image]:
    ramp = np.tile(np.linspace(0, 255, photo.width).astype(np.uint8), (photo.height, 1))
    modes = {mode: photo.convert(mode) for mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr")}
    for mode, plain in (("RGBA", photo), ("LA", photo.convert("L"))):
        modes[mode] = plain.copy()
        modes[mode].putalpha(Image.fromarray(ramp))
    modes["I;16"] = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    return modes


def _jpeg(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for number, subsampling in enumerate(("4:4:4", "4:2:2", "4:2:0")):
        yield Encoding(f"RGB {subsampling}", "JPEG", encoded(photo, "JPEG", subsampling=number))
    yield Encoding("progressive", "JPEG", encoded(photo, "JPEG", progressive=True))
    yield Encoding("grey", "JPEG", encoded(modes["L"], "JPEG"))
    yield Encoding("CMYK", "JPEG", encoded(modes["CMYK"], "JPEG"), 1)


def _png(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"):
        yield Encoding(mode, "PNG", encoded(modes[mode], "PNG"))
    palette = photo.quantize(16)
    yield Encoding("palette, one colour transparent", "PNG", encoded(palette, "PNG", transparency=3, bits=4))
    colour = photo.getpixel((5, 5))
    yield Encoding("RGB, one colour transparent", "PNG", encoded(photo, "PNG", transparency=colour))
    frames = [photo.rotate(90)]
    yield Encoding("animated", "PNG", encoded(photo, "PNG", save_all=True, append_images=frames))


def _gif(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    yield Encoding("palette", "GIF", encoded(modes["P"], "GIF"))
    palette = photo.quantize(16)
    yield Encoding("one colour transparent", "GIF", encoded(palette, "GIF", transparency=3))
    yield Encoding("interlaced", "GIF", encoded(palette, "GIF", interlace=1))
    yield Encoding("animated", "GIF", encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]))
    yield Encoding("frame smaller than its canvas", "GIF", _on_canvas(encoded(palette, "GIF")))


def _on_canvas(gif: bytes) -> bytes:
    """A GIF whose only frame is placed at (7, 5) on a larger canvas."""
    width, height = struct.unpack("<HH", gif[6:10])
    start = 13 + (3 << ((gif[10] & 7) + 1))
    frame = gif.index(b",", start)
    canvas = gif[:6] + struct.pack("<HH", width + 20, height + 10) + gif[10:frame]
    return canvas + struct.pack("<cHH", b",", 7, 5) + gif[frame + 5 :]


def _webp(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    yield Encoding("lossy", "WebP", encoded(photo, "WEBP"))
    yield Encoding("lossy with alpha", "WebP", encoded(modes["RGBA"], "WEBP"), 1)
    yield Encoding("lossless", "WebP", encoded(photo, "WEBP", lossless=True))
    yield Encoding("lossless with alpha", "WebP", encoded(modes["RGBA"], "WEBP", lossless=True), 1)
    frames = [photo.rotate(90)]
    yield Encoding("animated", "WebP", encoded(photo, "WEBP", lossless=True, save_all=True, append_images=frames))


def _tiff(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_lzma", "zstd"):
        yield Encoding(compression, "TIFF", encoded(photo, "TIFF", compression=compression))
    for compression in ("group3", "group4"):
        yield Encoding(compression, "TIFF", encoded(modes["1"], "TIFF", compression=compression))
    for mode in ("1", "L", "P", "RGBA", "LA", "CMYK", "I;16"):
        yield Encoding(mode, "TIFF", encoded(modes[mode], "TIFF", compression="tiff_lzw"))
    yield Encoding("YCbCr", "TIFF", encoded(modes["YCbCr"], "TIFF"), 1)
    lab = ImageCms.profileToProfile(
        photo, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    yield Encoding("Lab", "TIFF", encoded(lab, "TIFF"), 3)
    yield Encoding("BigTIFF", "TIFF", encoded(photo, "TIFF", big_tiff=True))
    yield Encoding("two pages", "TIFF", encoded(photo, "TIFF", save_all=True, append_images=[modes["RGBA"]]))


def _bmp(modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for mode in ("1", "L", "P", "RGB"):
        yield Encoding(mode, "BMP", encoded(modes[mode], "BMP"))
    red, green, blue, alpha = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
    masked = {
        "32 bits": (40, 0, (0, 0, 0, 0)),
        "32 bits with masks": (40, 3, (red, green, blue, 0)),
        "32 bits with an alpha mask": (124, 3, (red, green, blue, alpha)),
        "32 bits with zero masks": (56, 3, (0, 0, 0, 0)),
        "32 bits, no compression, version 5": (124, 0, (red, green, blue, alpha)),
    }
    for name, (size, compression, masks) in masked.items():
        yield Encoding(name, "BMP", _bitmap(modes["RGBA"], size, compression, masks), 1)


def _bitmap(image: Image.Image, size: int, compression: int, masks: tuple[int, int, int, int]) -> bytes:
    pixels = np.asarray(image)[::-1, :, [2, 1, 0, 3]].tobytes()
    header = struct.pack("<IiiHHIIiiII", size, *image.size, 1, 32, compression, len(pixels), 0, 0, 0, 0)
    if size > len(header):
        header = (header + struct.pack("<4I", *masks)).ljust(size, b"\0")
    elif compression:
        header += struct.pack("<3I", *masks[:3])
    offset = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + pixels


def _avif(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield Encoding(subsampling, "AVIF", encoded(photo, "AVIF", subsampling=subsampling), 2)
    yield Encoding("with alpha", "AVIF", encoded(modes["RGBA"], "AVIF", subsampling="4:4:4"), 1)


def _jpeg_2000(photo: Image.Image, modes: dict[str, Image.Image]) -> Iterator[Encoding]:
    for mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        yield Encoding(mode, "JPEG 2000", encoded(modes[mode], "JPEG2000"), 1)
    yield Encoding("YCbCr", "JPEG 2000", encoded(modes["YCbCr"], "JPEG2000"), 1)
    yield Encoding("CMYK", "JPEG 2000", encoded(modes["CMYK"], "JPEG2000"), 1)
    yield Encoding("lossy", "JPEG 2000", encoded(photo, "JPEG2000", irreversible=True), 1)
    yield Encoding("tiles", "JPEG 2000", encoded(photo, "JPEG2000", tile_size=(32, 32)))
    yield Encoding("codestream", "JPEG 2000", encoded(photo, "JPEG2000", no_jp2=True))
