"""The cache of binaries is correct only if its keys change whenever a build would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from examples.cluster import binaries
from examples.cluster.errors import ClusterError

COREDNS = next(module for module in binaries.MODULES if module.folder == "coredns")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the Go modules that tests may modify."""
    copy = tmp_path / "go"
    shutil.copytree(binaries.SOURCES, copy)
    monkeypatch.setattr(binaries, "SOURCES", copy)
    return copy


def test_the_version_is_the_one_pinned_in_go_mod(sources: Path) -> None:
    go_mod = sources / "coredns" / "go.mod"
    go_mod.write_text(
        go_mod.read_text().replace("github.com/coredns/coredns v1.12.4", "github.com/coredns/coredns v9.8.7")
    )
    assert binaries.version(COREDNS) == "v9.8.7"
    assert binaries.version_key(COREDNS).startswith("coredns-v9.8.7-")


def test_a_go_mod_without_the_pinned_module_is_named(sources: Path) -> None:
    (sources / "coredns" / "go.mod").write_text("module nothing\n")
    with pytest.raises(ClusterError, match=r"coredns/go\.mod does not require github\.com/coredns/coredns"):
        binaries.version(COREDNS)


def test_every_file_of_a_module_changes_its_key(sources: Path) -> None:
    before = binaries.version_key(COREDNS)
    assert binaries.version_key(COREDNS) == before
    for path in sorted((sources / "coredns").iterdir()):
        original = path.read_text()
        path.write_text(original + "\n")
        assert binaries.version_key(COREDNS) != before, path.name
        path.write_text(original)


def test_kubernetes_reports_the_version_that_it_was_built_from() -> None:
    flags = binaries.linker_flags(binaries.MODULES[0])
    version = binaries.kubernetes_version()
    assert f"k8s.io/component-base/version.gitVersion={version}" in flags
    assert f"k8s.io/component-base/version.gitMinor={version.split('.')[1]}" in flags


def test_without_go_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="install it and put `go` on PATH"):
        binaries.build()
