"""The committed reference is generated from the models and omits no field."""

from __future__ import annotations

from pathlib import Path

from featx_api import docs

REFERENCE = Path("docs/reference/resource.md")


def rows(section: str) -> dict[str, list[str]]:
    """The cells of a section's table, by field."""
    text = docs.resource().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_the_committed_reference_is_up_to_date_with_the_models() -> None:
    assert REFERENCE.read_text() == docs.resource(), "run `make generate`"


def test_the_committed_reference_of_schedules_is_up_to_date_with_the_models() -> None:
    assert Path("docs/reference/schedule.md").read_text() == docs.schedule(), "run `make generate`"


def test_the_committed_reference_of_models_is_up_to_date_with_the_models() -> None:
    assert Path("docs/reference/model.md").read_text() == docs.model(), "run `make generate`"


def test_a_field_has_type_default_and_description() -> None:
    assert rows("Crop")["margin"] == [
        "number from 0 up to 1",
        "`0.1`",
        "Widens the box on each side by this fraction of its size.",
    ]
    assert rows("FeatureExtractionSpec")["source"][:2] == ["[Source](#source)", "required"]


def test_every_field_is_described() -> None:
    table = [line for line in docs.resource().splitlines() if line.startswith("| `")]
    assert len(table) > 100
    assert [line for line in table if line.endswith("|  |")] == []


def test_old_names_appear_only_in_the_list_of_renamed_fields() -> None:
    fields, renamed = docs.resource().split("\n## Renamed\n")
    for old in ("shardPictures", "pictureMean", "pictures"):
        assert old not in fields
        assert old in renamed
