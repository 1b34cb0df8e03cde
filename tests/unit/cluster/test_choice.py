"""The cluster is chosen from the environment alone, and a missing setting is reported in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.cluster import choice, paths
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build
from examples.cluster.local import LocalCluster

BUILD = Build("localhost/featx/job:dev", Path("Dockerfile"), Path())


def test_the_users_kubeconfig_comes_first() -> None:
    cluster = choice.choose({"KUBECONFIG": "/home/me/config"})
    assert isinstance(cluster, choice.GivenCluster)
    assert cluster.environment() == {"KUBECONFIG": "/home/me/config"}
    assert cluster.command(["kubectl", "version"]) == ["kubectl", "version"]


def test_a_client_inside_our_own_cluster_still_selects_that_cluster() -> None:
    assert isinstance(choice.choose({"KUBECONFIG": str(paths.ADMIN_KUBECONFIG)}), LocalCluster)


def test_without_docker_and_kind_our_own_node_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(choice.choose({}), LocalCluster)


def test_with_docker_running_and_kind_installed_kind_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("docker", "kind"):
        (tmp_path / program).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(choice.choose({}), choice.KindCluster)


def test_a_docker_client_without_an_engine_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program, code in (("docker", 1), ("kind", 0)):
        (tmp_path / program).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(choice.choose({}), LocalCluster)


def test_a_given_cluster_without_a_registry_says_what_to_set() -> None:
    with pytest.raises(ClusterError, match=r"set FEATX_IMAGE_PREFIX, for example .*or unset KUBECONFIG"):
        choice.choose({"KUBECONFIG": "/home/me/config"}).load([BUILD])


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("localhost/featx/job:dev", "registry.example.com/team/featx-job:dev-17"),
        ("localhost/seaweedfs:4.48", "registry.example.com/team/seaweedfs:4.48-17"),
    ],
)
def test_pushed_images_get_a_new_tag_each_time(tag: str, name: str) -> None:
    assert choice.pushed_name("registry.example.com/team", tag, 17) == name
