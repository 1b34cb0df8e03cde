"""Which files of a source count as images: not hidden and system files, and what the globs of the spec select. Pure.

One rule for all sources that list files. Whatever is left out is counted by cause, and a source of which nothing is
left fails with what it holds instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from featx_api.failures import FailureClass
from featx_api.formats import ENDINGS
from featx_api.hidden_files import SYSTEM_END, SYSTEM_NAMES, SYSTEM_STARTS
from featx_api.source import Packed
from featx_api.text import shortened

from featx_job.failures import RunFailure
from featx_job.source import globs
from featx_job.source.objects import SourceObject, is_listed
from featx_job.source.packed_files import packed_format

Cause = Literal["hidden", "notFile", "excluded", "notIncluded", "otherFormat"]

_LOWER_NAMES = frozenset(name.lower() for name in SYSTEM_NAMES)
_STARTS = "|".join(map(re.escape, SYSTEM_STARTS))
# Part of a path. S3 allows parts that are one dot or two.
_HIDDEN = re.compile(
    rf"(?:^|/)(?:\.(?!\.?(?:/|$))[^/]*|(?:{'|'.join(map(re.escape, SYSTEM_NAMES))})(?=/|$)"
    rf"|(?:{_STARTS})[^/]*|[^/]*{re.escape(SYSTEM_END)}(?=/|$))",
    re.IGNORECASE,
)
#: Matches every key that may be left out without a glob, and few others (RE2, of keys in any case).
IN_DOUBT = "|".join((r"(^|/)[._]", "/$", *map(re.escape, (SYSTEM_END, *SYSTEM_NAMES, *SYSTEM_STARTS))))
MOST_ENDINGS = 10
_MEANING = {
    "hidden": "hidden and system files",
    "notFile": "links to folders or to nothing, and special files",
    "excluded": "matching spec.source.exclude",
    "notIncluded": "matching no glob of spec.source.include",
    "otherFormat": "of another format than spec.source.packed.format",
}


def is_hidden(key: str) -> bool:
    """Return whether a file or folder is a hidden or system one, or in such a folder."""
    lower = f"/{key.lower()}"
    # Nearly all keys are ruled out this way, in a tenth of the time.
    if "/." in lower or "/_" in lower or SYSTEM_END in lower or not _LOWER_NAMES.isdisjoint(lower.split("/")):
        return _HIDDEN.search(key) is not None
    return False


@dataclass(frozen=True)
class Selection:
    """What a spec selects of its source.

    Attributes:
        include: Globs of the images; empty selects all.
        exclude: Globs of what is left out anyway.
        root: Start of all keys; what is after it is matched.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    root: str = ""

    def cause(self, file: SourceObject) -> Cause | None:
        """Return why a file is left out, or None if it is selected."""
        below = file.key.removeprefix(self.root)
        if is_hidden(below) and not self._included_hidden.fullmatch(globs.folded(below)):
            return "hidden"
        if not is_listed(file):
            return "notFile"
        if self.exclude and self._excluded.fullmatch(globs.folded(below)):
            return "excluded"
        if self.include and not self._included.fullmatch(globs.folded(below)):
            return "notIncluded"
        return None

    def hidden_folder(self, key: str) -> str | None:
        """Return the outermost hidden folder that a file is in, or None."""
        below = key.removeprefix(self.root)
        match = _HIDDEN.search(below)
        return None if match is None or match.end() == len(below) else self.root + below[: match.end() + 1]

    @property
    def opens_hidden_folders(self) -> bool:
        """Whether files in hidden folders may be selected, so that such folders must be listed."""
        return bool(self._hidden_globs)

    @property
    def _hidden_globs(self) -> tuple[str, ...]:
        """The globs that name hidden files themselves, as `.thumbnails/` does."""
        return tuple(glob for glob in self.include if is_hidden(glob))

    @cached_property
    def _included(self) -> globs.Matcher:
        return globs.matcher(self.include)

    @cached_property
    def _excluded(self) -> globs.Matcher:
        return globs.matcher(self.exclude)

    @cached_property
    def _included_hidden(self) -> globs.Matcher:
        return globs.matcher(self._hidden_globs)


@dataclass
class Skipped:
    """What was left out of a source.

    Attributes:
        counts: Number of files by cause. A hidden folder counts once, as it need not be opened.
        endings: Number of files by ending, without hidden and system files; only while the source is listed.
        archives: The same by format of `spec.source.packed`, as far as their endings tell.
    """

    counts: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter, compare=False)
    archives: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def total(self) -> int:
        """Number of all files that were left out."""
        return self.counts.total()

    def add(self, key: str, cause: Cause) -> None:
        """Count a file."""
        self.counts[cause] += 1
        if cause not in ("hidden", "notFile"):
            self.endings[ending(key)] += 1
            if format_ := packed_format(key):
                self.archives[format_] += 1

    def to_failure(self, field_: str, description: str, packed: Packed | None = None) -> RunFailure:
        """Return the failure of a source of which nothing is left.

        Args:
            field_: Path of the source in the spec.
            description: The source, as users know it.
            packed: The spec's, if it has one.
        """
        if not self.total:
            message = f"{field_}: {description} has no files; correct the address, or run again once it has some"
            return RunFailure(FailureClass.SOURCE_EMPTY, message)
        causes = ", ".join(f"{_MEANING[cause]}: {count:,}" for cause, count in sorted(self.counts.items()))
        endings = ", ".join(f"{name} ({count:,})" for name, count in self.endings.most_common(MOST_ENDINGS))
        there = f"; the commonest endings there are {endings}" if endings else ""
        message = f"{field_}: no file of {description} is selected ({causes}){there}; {self._hint(packed)}"
        return RunFailure(FailureClass.SOURCE_EMPTY, message)

    def _hint(self, packed: Packed | None) -> str:
        """Return which field to correct, from what was left out most."""
        images = sum(count for name, count in self.endings.items() if name.removeprefix(".") in ENDINGS)
        archives = self.archives.total()
        globs = (
            "spec.source.include" if self.counts["notIncluded"] >= self.counts["excluded"] else "spec.source.exclude"
        )
        if packed and self.counts["otherFormat"]:
            if images > archives:
                return "these are images: remove spec.source.packed"
            if archives:
                format_ = next(iter(self.archives)) if len(self.archives) == 1 else "auto"
                return f"set spec.source.packed.format to {format_}"
            formats = "tar, zip, TFRecord, SequenceFile, Parquet or Delta Lake"
            return f"correct spec.source.packed.format or the folder, or write the images as {formats}"
        if archives > images and packed:
            return f"{globs} is about the files; spec.source.packed.members selects images in them"
        if archives > images:
            return f"to read the images in these files set spec.source.packed, and correct {globs}"
        if not self.endings:
            return self._hint_without_files()
        return "correct spec.source.include, spec.source.exclude or the folder"

    def _hint_without_files(self) -> str:
        """Return the hint for a source that has nothing but hidden files, links and special files."""
        if self.counts["notFile"] > self.counts["hidden"]:
            return "name the folder that a link leads to as the source, or mount it there"
        return "correct the folder, or name hidden files in spec.source.include, as .thumbnails/ does"


def ending(key: str) -> str:
    """Return the ending of a file's name for messages, such as `.jpg`, in lower case."""
    name = key.rstrip("/").rpartition("/")[2]
    stem, dot, last = name.rpartition(".")
    return (
        shortened(f".{last.lower()}", 16) if dot and stem and last else "no ending" if not dot else shortened(name, 16)
    )


def selected(objects: Iterable[SourceObject], selection: Selection, skipped: Skipped) -> Iterator[SourceObject]:
    """Yield the objects that a spec selects.

    Args:
        objects: In key order, all of the source.
        selection: The spec's.
        skipped: Counts the others.
    """
    folder: str | None = None
    for file in objects:
        cause = selection.cause(file)
        if cause is None:
            yield file
        elif cause != "hidden":
            skipped.add(file.key, cause)
        elif (inside := selection.hidden_folder(file.key)) is None or inside != folder:
            skipped.add(inside or file.key, cause)
            folder = inside
