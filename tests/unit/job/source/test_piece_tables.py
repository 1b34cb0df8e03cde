"""What a source lists is cut into pieces, as objects or as columns, with the same rows left out."""

from __future__ import annotations

import pyarrow as pa
import pytest
from featx_job.source import piece_tables
from featx_job.source.objects import SourceObject
from featx_job.source.selection import Selection, Skipped, selected
from hypothesis import given
from hypothesis import strategies as st

names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6),
    st.sampled_from(
        [
            *("a.jpg", ".a.jpg", "a/.b/c.jpg", "a/.b/d.jpg", "_featx/x", "x/_SUCCESS", "thumbs.DB", "a/Thumbs.db/x"),
            *(
                "x_$folder$",
                "X_$FOLDER$/y",
                "_committed_1",
                "a/_started_2.jpg",
                "lost+found/1.jpg",
                "a/",
                "..",
                "a/./b",
            ),
            *("@eaDir/x", "__MACOSX/._a.jpg", "#recycle/a", "b.png", "c/d.PNG", r"Icon\x0D"),
        ]
    ),
)
objects = st.lists(st.builds(SourceObject, names, st.integers(0, 3), st.sampled_from(["", "v"])), max_size=40)


@given(objects, st.integers(1, 7))
def test_tables_hold_all_rows_in_their_order_and_only_the_last_one_is_short(
    listed: list[SourceObject], rows: int
) -> None:
    by_objects = list(piece_tables.of_objects(iter(listed), rows))
    batches = piece_tables.of_all(listed).to_batches(max_chunksize=3)
    by_batches = list(piece_tables.of_batches(batches, rows))
    for tables in (by_objects, by_batches):
        assert [file for table in tables for file in piece_tables.objects_of(table)] == listed
        assert [len(table) for table in tables[:-1]] == [rows] * (len(listed) // rows)
        assert len(tables[-1]) == len(listed) % rows


@given(objects, st.sampled_from([Selection(), Selection(exclude=("c/",)), Selection(("*.jpg", ".a.jpg"))]))
def test_batches_are_selected_as_objects_are(listed: list[SourceObject], selection: Selection) -> None:
    unique = list({file.key: file for file in listed}.values())
    one_by_one, by_columns = Skipped(), Skipped()
    expected = list(selected(unique, selection, one_by_one))
    batches = piece_tables.of_all(unique).to_batches()
    (table,) = piece_tables.of_batches(piece_tables.select(batches, selection, by_columns), 100)
    assert piece_tables.objects_of(table) == expected
    assert by_columns.counts == one_by_one.counts


@pytest.mark.parametrize("rows", [0, 1])
def test_a_source_whose_size_is_a_multiple_of_a_piece_ends_with_an_empty_table(rows: int) -> None:
    tables = list(piece_tables.of_batches([pa.RecordBatch.from_pylist([], piece_tables.SCHEMA)] * rows, 5))
    assert [len(table) for table in tables] == [0]
