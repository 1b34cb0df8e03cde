"""Every kind of image found in catalogues: usable ones become rows, the others are quarantined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from featx_api.contract import Outcome

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_folder

SCENE = drawings.scene(seed=3)
JPEG = drawings.encoded(SCENE)
ODD = Path(__file__).parents[3] / "jobimage/java/src/test/resources/images"
PHONE = (ODD / "h_heic.heic").read_bytes()
PNG = drawings.encoded(SCENE, ".png")
THUMBNAIL = drawings.with_thumbnail(SCENE)

USABLE = {
    "plain.jpg": JPEG,
    "plain.png": PNG,
    "cmyk.jpg": drawings.cmyk(SCENE),
    "grey.png": drawings.grey(SCENE),
    "deep.png": drawings.deep(SCENE),
    "rotated.jpg": drawings.rotated(SCENE),
    "upright.jpg": drawings.upright(SCENE),
    "thumbnail.jpg": THUMBNAIL,
    "animated.gif": drawings.animation([SCENE, drawings.scene(seed=4)]),
    "bitmap.bmp": drawings.encoded(SCENE, ".bmp"),
    "trailing.jpg": JPEG + b"\0" * 500,
    "endless.jpg": JPEG[:-2],
    "lossless.webp": drawings.other(SCENE, "WEBP", lossless=True),
    "pages.tiff": drawings.other(SCENE, "TIFF", compression="tiff_lzw"),
    "photo.avif": drawings.other(SCENE, "AVIF"),
    "scan.jp2": drawings.other(SCENE, "JPEG2000"),
    "phone.heic": PHONE,
    "transparent.png": drawings.transparent(SCENE, "PNG"),
    "transparent.webp": drawings.transparent(SCENE, "WEBP", lossless=True),
    "white.png": drawings.encoded(np.full_like(SCENE, 255), ".png"),
}
SIZES = {"phone.heic": (96, 64)}
UNUSABLE = {
    "empty.jpg": (b"", ("decode", "Empty")),
    "text.jpg": (b"this is not an image, despite its name", ("decode", "NotAnImage")),
    "truncated.jpg": (JPEG[: len(JPEG) // 2], ("decode", "Truncated")),
    "truncated-thumbnail.jpg": (THUMBNAIL[:-200], ("decode", "Truncated")),
    "truncated.png": (PNG[: len(PNG) // 2], ("decode", "Truncated")),
    "sixty-megapixels.png": (drawings.blank_png(10_000, 6_000), ("decode", "TooManyPixels")),
    "two-mebibytes.jpg": (JPEG + b"\0" * (2 << 20), ("read", "TooLarge")),
    "header-only.png": (PNG[:40] + PNG[-12:], ("decode", "Damaged")),
}


def spec_of(folder: Path, tiny: Spec, **spec: Any) -> Spec:
    return {
        "source": {"files": {"uri": f"file://{folder}"}},
        **tiny,
        "output": {"uri": f"file://{folder}-table"},
        "limits": {"mebibytes": 2},
        "errors": {"maxFailedFraction": 1},
        **spec,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder containing all of these files."""
    images = tmp_path_factory.mktemp("bad")
    for name, data in [*USABLE.items(), *((name, data) for name, (data, _) in UNUSABLE.items())]:
        (images / name).write_bytes(data)
    return images


@pytest.fixture(scope="module")
def outcome(runner: Runner, tiny: Spec, folder: Path) -> Outcome:
    return runner.run(spec_of(folder, tiny))


@pytest.fixture(scope="module")
def tables(outcome: Outcome, folder: Path) -> Tables:
    assert outcome.failure is None
    return rows_of_folder(Path(f"{folder}-table"))


def test_a_run_with_bad_images_succeeds_and_counts_them(outcome: Outcome) -> None:
    assert outcome.result == "Succeeded"
    assert outcome.progress is not None
    assert outcome.progress.images_done == len(USABLE) + len(UNUSABLE)
    assert outcome.progress.images_failed == len(UNUSABLE)


@pytest.mark.parametrize("name", USABLE)
def test_usable_images_become_rows(tables: Tables, name: str) -> None:
    row = tables.row(name)
    assert (row["width"], row["height"]) == SIZES.get(name, (160, 120))
    assert np.isfinite(row["feature"]).all()


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_images_are_quarantined_with_a_reason(tables: Tables, name: str) -> None:
    assert tables.reasons()[name] == UNUSABLE[name][1]


def test_no_image_is_lost_or_duplicated(tables: Tables) -> None:
    keys = [row["key"] for row in [*tables.rows, *tables.quarantine]]
    assert sorted(keys) == sorted([*USABLE, *UNUSABLE])


def test_a_message_names_the_exceeded_limit_and_its_setting(tables: Tables) -> None:
    messages = {row["key"]: row["message"] for row in tables.quarantine}
    assert "10000x6000" in messages["sixty-megapixels.png"]
    assert "spec.limits.megapixels" in messages["sixty-megapixels.png"]
    assert "spec.limits.mebibytes" in messages["two-mebibytes.jpg"]


def test_a_rotated_image_yields_the_feature_of_the_upright_one(tables: Tables) -> None:
    rotated, upright = (np.array(tables.row(f"{name}.jpg")["feature"]) for name in ("rotated", "upright"))
    assert np.abs(rotated - upright).max() < 0.02 * np.abs(upright).max()


def test_encodings_of_one_image_yield_nearly_the_same_feature(tables: Tables) -> None:
    plain = np.array(tables.row("plain.png")["feature"])
    for name in ("deep.png", "bitmap.bmp", "lossless.webp", "pages.tiff", "scan.jp2"):
        assert np.allclose(tables.row(name)["feature"], plain, rtol=1e-5)
    assert tables.row("thumbnail.jpg")["feature"] == tables.row("plain.jpg")["feature"]
    assert tables.row("endless.jpg")["feature"] == tables.row("plain.jpg")["feature"]
    assert tables.row("trailing.jpg")["feature"] == tables.row("plain.jpg")["feature"]
    gif = np.array(tables.row("animated.gif")["feature"])
    assert np.abs(gif - plain).max() < 0.2 * np.abs(plain).max()  # 256 colours, of the first frame


def test_transparent_pixels_are_white_unless_the_resource_says_otherwise(
    runner: Runner, tiny: Spec, tables: Tables, tmp_path: Path
) -> None:
    white = tables.row("white.png")["feature"]
    assert tables.row("transparent.png")["feature"] == white
    assert tables.row("transparent.webp")["feature"] == white
    folder = tmp_path / "black"
    folder.mkdir()
    (folder / "transparent.png").write_bytes(USABLE["transparent.png"])
    outcome = runner.run(spec_of(folder, tiny, decoding={"background": "#000000"}), uid="black")
    assert outcome.failure is None
    assert rows_of_folder(Path(f"{folder}-table")).row("transparent.png")["feature"] != white


@pytest.mark.parametrize("format_", ["delta", "parquet"])
def test_damaged_images_are_kept_and_marked_if_the_resource_says_so(
    runner: Runner, tiny: Spec, tmp_path: Path, format_: str
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for name, data in {"whole.jpg": JPEG, "cut.jpg": JPEG[: len(JPEG) // 2], "text.jpg": b"text"}.items():
        (folder / name).write_bytes(data)
    output = {"uri": f"file://{folder}-table", "format": format_}
    outcome = runner.run(spec_of(folder, tiny, decoding={"damaged": "keep"}, output=output), uid=f"kept-{format_}")
    assert outcome.failure is None
    tables = rows_of_folder(Path(f"{folder}-table"))
    assert {row["key"]: row["damaged"] for row in tables.rows} == {"whole.jpg": False, "cut.jpg": True}
    assert tables.reasons() == {"text.jpg": ("decode", "NotAnImage")}


def test_a_table_has_no_column_for_damaged_images_by_default(tables: Tables) -> None:
    assert "damaged" not in tables.features.column_names


def test_a_higher_limit_admits_a_large_image(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    (large / "sixty-megapixels.png").write_bytes(UNUSABLE["sixty-megapixels.png"][0])
    (large / "small.jpg").write_bytes(JPEG)
    outcome = runner.run(spec_of(large, tiny, limits={"megapixels": 80}), uid="large")
    assert outcome.failure is None
    row = rows_of_folder(Path(f"{large}-table")).row("sixty-megapixels.png")
    assert (row["width"], row["height"]) == (10_000, 6_000)


def test_too_many_bad_images_fail_the_run_but_the_quarantine_is_kept(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for index in range(4):
        (mixed / f"good-{index}.jpg").write_bytes(JPEG)
    (mixed / "bad.jpg").write_bytes(b"")
    for index in range(2):
        (mixed / f"text-{index}.jpg").write_bytes(b"no image")
    outcome = runner.run(spec_of(mixed, tiny, errors={"maxFailedFraction": 0.1}), uid="mixed")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("TooManyFailures", False)
    assert "spec.errors.maxFailedFraction 0.1" in outcome.failure.message
    table = Path(f"{mixed}-table")
    assert outcome.failure.message.endswith(
        f": NotAnImage (2), Empty (1); each is a row of the table file://{table}/_quarantine"
    )
    assert [row["key"] for row in rows_of_folder(table).quarantine] == ["bad.jpg", "text-0.jpg", "text-1.jpg"]
    assert not (table / "_SUCCESS").exists()


def test_an_image_without_a_subject_is_skipped_if_the_policy_says_so(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "red.jpg").write_bytes(JPEG)
    (plain / "nothing.jpg").write_bytes(drawings.encoded(np.full((120, 160, 3), 110, np.uint8)))
    detector = {**tiny["detector"], "crop": {"fallback": "skip", "minArea": 0}}
    outcome = runner.run(spec_of(plain, {**tiny, "detector": detector}), uid="skip")
    assert outcome.failure is None
    tables = rows_of_folder(Path(f"{plain}-table"))
    assert tables.reasons() == {"nothing.jpg": ("detect", "NoDetection")}
    assert [row["key"] for row in tables.rows] == ["red.jpg"]
