"""The image formats that executors decode: the one list that messages, default globs, docs and Java share."""

from __future__ import annotations

from enum import StrEnum


class ImageFormat(StrEnum):
    """A format of images; its value is the name that people read.

    Attributes:
        endings: The usual endings of file names, in lower case and without a dot.
    """

    endings: tuple[str, ...]

    def __new__(cls, label: str, *endings: str) -> ImageFormat:
        """Create a member whose value is its label."""
        member = str.__new__(cls, label)
        member._value_ = label
        member.endings = endings
        return member

    JPEG = "JPEG", "jpg", "jpeg", "jpe", "jfif", "jif", "mpo"
    PNG = "PNG", "png", "apng"
    GIF = "GIF", "gif"
    WEBP = "WebP", "webp"
    TIFF = "TIFF", "tif", "tiff"
    BMP = "BMP", "bmp", "dib"
    AVIF = "AVIF", "avif"
    HEIC = "HEIC", "heic", "heif", "hif"
    JPEG_2000 = "JPEG 2000", "jp2", "j2k", "j2c", "jpf", "jpx"


#: Endings of all formats, in lower case and without a dot.
ENDINGS = tuple(ending for one in ImageFormat for ending in one.endings)


def listed(conjunction: str = "or") -> str:
    """Return the names of all formats as a list in a sentence.

    Args:
        conjunction: Word before the last name.
    """
    *others, last = ImageFormat
    return f"{', '.join(others)} {conjunction} {last}"
