"""`make bench WHAT=...` runs a benchmark by name and lists all."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.bench import __main__ as bench


@pytest.mark.parametrize("name", bench.BENCHES)
def test_each_module_of_a_benchmark_exists(name: str) -> None:
    modules = [command.split()[0] for command in bench.BENCHES[name].local] + [bench.BENCHES[name].on_cluster]
    assert all(find_spec(f"tests.bench.{module}") for module in modules if module)


def test_help_lists_all_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["help"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [
        f"WHAT={name}" for name in bench.BENCHES
    ]


def test_an_unknown_benchmark_is_an_error_that_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["speed"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: unknown benchmark: speed\n")
    assert "make bench WHAT=pipeline" in shown
