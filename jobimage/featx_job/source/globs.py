"""Globs of `spec.source.include` and `exclude` as regular expressions, the same for Python and Java. Pure.

A key is matched as a whole. `*` and `?` stay within a folder, `**` is any number of folders, `[...]` a set, `{a,b}` a
choice. A glob without a slash matches names in any folder, one that ends with a slash all that is in such a folder, and
any other is a path from the source's folder. Neither case nor Unicode's normal forms matter (`folded`).

Globs come from anybody, so matching must not explode: what is between two stars is taken where it first fits, which for
globs is right, and never tried elsewhere (`(?>...)`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

Matcher = re.Pattern[str]
_NOTHING = "(?!)"


def folded(key: str) -> str:
    """Return a key as globs are compared with it (dev.featx.source.ImageKeys.folded)."""
    lower = key.lower()
    return lower if lower.isascii() else unicodedata.normalize("NFC", lower).replace("ς", "σ")


def to_regex(glob: str) -> str:
    """Return the regular expression that matches all of a folded key if the glob does.

    Args:
        glob: With one `{...}` at most.
    """
    return "|".join(_path(choice) for choice in _choices(folded(glob)))


def matcher(globs: Iterable[str]) -> Matcher:
    """Return what matches all of a folded key if one of the globs does."""
    return re.compile("|".join(f"(?:{to_regex(glob)})" for glob in globs) or _NOTHING, re.DOTALL)


def _choices(glob: str) -> list[str]:
    match = re.fullmatch(r"([^{}]*)\{([^{}]*)\}([^{}]*)", glob, re.DOTALL)
    return [match[1] + choice + match[3] for choice in match[2].split(",")] if match else [glob]


def _path(glob: str) -> str:
    is_folder, anchored = glob.endswith("/"), "/" in glob.rstrip("/")
    parts = [part for part in glob.split("/") if part] + (["**"] if is_folder else [])
    if not anchored:
        parts.insert(0, "**")
    runs = [list[str]()]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_name(part))
    first, *later = runs
    if not later:
        return "/".join(first)
    *middle, last = later
    regex = "".join(f"{name}/" for name in first)
    # Not `(?:[^/]*/)*?`: Java has a stack frame for each round of a loop over more than one letter.
    regex += "".join(f"(?>(?:.*?/)??{''.join(f'{name}/' for name in run)})" for run in middle if run)
    # The last run is that many names at the end, whatever is before it.
    return regex + (f"(?:.*/)?{'/'.join(last)}" if last else ".+")


def _name(part: str) -> str:
    """Return the regular expression of a name without its folder."""
    first, *later = [_between_stars(piece) for piece in _split_at_stars(part)]
    if not later:
        return first
    *middle, last = later
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + f"[^/]*{last}"


def _split_at_stars(part: str) -> list[list[str]]:
    """Return the characters and sets between stars."""
    pieces = [list[str]()]
    while part:
        atom = _first_atom(part)
        part = part[len(atom) :]
        if atom == "*":
            pieces.append([])
        else:
            pieces[-1].append(atom)
    return pieces


def _first_atom(part: str) -> str:
    end = part.find("]", 3 if part.startswith("[!") else 2)
    return part[: end + 1] if part.startswith("[") and end > 0 else part[0]


def _between_stars(atoms: list[str]) -> str:
    return "".join("[^/]" if atom == "?" else _set(atom) if len(atom) > 1 else _literal(atom) for atom in atoms)


def _set(atom: str) -> str:
    """Return a set that never matches a slash."""
    excluded = atom.startswith("[!")
    members = atom[2:-1] if excluded else atom[1:-1]
    items = []
    while members:
        if len(members) > 2 and members[1] == "-":
            if members[0] <= members[2]:
                items.append(f"{_literal(members[0])}-{_literal(members[2])}")
            members = members[3:]
        else:
            items.append(_literal(members[0]))
            members = members[1:]
    if excluded:
        return f"[^/{''.join(items)}]"
    return f"(?!/)[{''.join(items)}]" if items else _NOTHING


def _literal(letter: str) -> str:
    return letter if letter.isalnum() or ord(letter) > 127 else f"\\{letter}"
