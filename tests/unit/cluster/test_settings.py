"""The settings files contain what the rest of the package relies on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from examples.cluster import certificates, cgroups, network, node, paths, runtime, s3_store


def test_containerd_stores_everything_below_our_folders() -> None:
    settings = tomllib.loads(runtime.containerd_settings(Path("/cni/net"), Path("/cni/bin")))
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    assert settings["root"] == str(paths.containerd_root())
    assert settings["state"].startswith(str(paths.RUN))
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["sandbox_image"] == runtime.PAUSE_IMAGE
    assert cri["cni"] == {"bin_dir": "/cni/bin", "conf_dir": "/cni/net"}


def test_the_cache_folder_follows_xdg_cache_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.containerd_root() == tmp_path / "featx" / "kubernetes" / "containerd"


def test_pods_run_in_the_cgroup_that_down_removes() -> None:
    assert node.kubelet_configuration()["cgroupRoot"] == f"/{cgroups.NAME}"


def test_the_kubeconfigs_point_to_the_node() -> None:
    init, cluster = certificates.kubeadm_configuration()
    assert init["localAPIEndpoint"] == {"advertiseAddress": network.NODE_ADDRESS, "bindPort": 6443}
    assert f"https://{network.NODE_ADDRESS}:6443" == certificates.SERVER
    assert cluster["certificatesDir"] == str(paths.PKI)


def test_unchanged_settings_are_not_rewritten(tmp_path: Path) -> None:
    path = paths.write_settings(tmp_path / "a" / "file", "text")
    before = path.stat().st_mtime_ns
    paths.write_settings(path, "text")
    assert path.stat().st_mtime_ns == before
    paths.write_settings(path, "other")
    assert path.read_text() == "other"


def test_the_s3_server_meets_pod_security_restricted() -> None:
    documents = list(yaml.safe_load_all((s3_store.FOLDER / "manifests" / "seaweedfs.yaml").read_text()))
    namespace, service, deployment = documents
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == s3_store.IMAGE.tag
    assert "-master.telemetry=false" in container["args"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    port = service["spec"]["ports"][0]["port"]
    assert f"http://{service['metadata']['name']}.{namespace['metadata']['name']}.svc:{port}" == s3_store.ENDPOINT
