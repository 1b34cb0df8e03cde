"""Globs match what they say, whatever else they contain, and in bounded time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from featx_api.names import Glob
from featx_job.source import globs
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError


def matches(glob: str, key: str) -> bool:
    return globs.matcher([glob]).fullmatch(globs.folded(key)) is not None


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.jpg", ["a.jpg", "x/y/a.JPG", ".jpg"], ["a.jpeg", "a.jpg/b", "ajpg"]),
        ("*.{jpg,png}", ["a.jpg", "b/a.PNG"], ["a.gif", "a."]),
        ("IMG_????.*", ["img_0001.heic"], ["img_001.heic", "img_a/bc.d"]),
        ("/*.jpg", ["a.jpg"], ["x/a.jpg"]),
        ("2024/*.jpg", ["2024/a.jpg"], ["2024/5/a.jpg", "x/2024/a.jpg"]),
        ("2024/**/*.jpg", ["2024/a.jpg", "2024/5/6/a.jpg"], ["2024.jpg", "x/2024/a.jpg"]),
        ("**/2024/*.jpg", ["2024/a.jpg", "x/y/2024/a.jpg"], ["x2024/a.jpg"]),
        ("drafts/", ["drafts/a", "x/drafts/y/a.jpg"], ["drafts", "xdrafts/a", "a/drafts"]),
        ("a/drafts/", ["a/drafts/b"], ["x/a/drafts/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("**", ["a", "a/b"], []),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/b/y/c"], ["a/c", "a/b/xc"]),
        ("[a-c]?.jpg", ["B1.jpg"], ["d1.jpg", "b.jpg"]),
        ("[!a-c].jpg", ["d.jpg"], ["A.jpg", "/.jpg"]),
        ("[*].jpg", ["*.jpg"], ["a.jpg"]),
        ("[]].jpg", ["].jpg"], ["[.jpg"]),
        ("größe*", ["GRÖSSE.jpg".replace("SS", "ẞ"), unicodedata.normalize("NFD", "größe.jpg")], ["grosse.jpg"]),
        ("a b+c#%.jpg", ["A B+C#%.jpg"], ["a  b+c#%.jpg"]),
        ("a**b", ["axb", "ab"], ["a/b"]),
        ("caf\\xE9.*", ["caf\\xE9.jpg"], ["café.jpg"]),
    ],
)
def test_a_glob_matches_as_documented(glob: str, yes: list[str], no: list[str]) -> None:
    TypeAdapter(Glob).validate_python(glob)
    assert [key for key in yes if not matches(glob, key)] == []
    assert [key for key in no if matches(glob, key)] == []


def plainly(glob: list[str], key: list[str]) -> bool:
    """What stars mean, tried out: `*` is any part of a name, `**` any number of folders."""
    if not glob:
        return not key
    first, *rest = glob
    if first == "**":
        return plainly(rest, key) or (bool(key) and plainly(glob, key[1:])) if rest else bool(key)
    return bool(key) and name_matches(first, key[0]) and plainly(rest, key[1:])


def name_matches(glob: str, name: str) -> bool:
    if not glob:
        return not name
    if glob[0] == "*":
        return any(name_matches(glob[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and glob[0] in ("?", name[0]) and name_matches(glob[1:], name[1:])


NAMES = st.text("ab", min_size=1, max_size=4)
PARTS = st.just("**") | st.text("ab?*", min_size=1, max_size=5).filter(lambda part: "**" not in part)


@settings(max_examples=200, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=5), st.lists(NAMES, min_size=1, max_size=5))
def test_committing_to_the_first_fit_finds_every_match(glob: list[str], key: list[str]) -> None:
    assert matches("/" + "/".join(glob), "/".join(key)) == plainly(glob, key)


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_whatever_the_resource_accepts_is_a_glob(glob: str, key: str) -> None:
    try:
        TypeAdapter(Glob).validate_python(glob)
    except ValidationError:
        return
    matches(glob, key)


@pytest.mark.parametrize("glob", ["*a" * 128, "*?" * 128, "**/a/" * 51, "**/*a*/" * 36, "*[!b]" * 51, "/**/*" * 51])
@pytest.mark.parametrize("key", ["a" * 1024, "a/" * 512, "ab/" * 341, "/" * 1024])
def test_no_glob_takes_long(glob: str, key: str) -> None:
    TypeAdapter(Glob).validate_python(glob)
    compiled = globs.matcher([glob])
    started = time.perf_counter()
    compiled.fullmatch(key + "x")
    assert time.perf_counter() - started < 0.1


@pytest.mark.parametrize("glob", ["", "a" * 257, "{a,b}{c,d}", "{a,{b,c}}", "{a", "a}", "a\nb", "a\x1bb"])
def test_a_glob_that_could_explode_or_hide_something_is_refused(glob: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Glob).validate_python(glob)
