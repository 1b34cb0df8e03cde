"""The git repository that Argo CD syncs, and Applications of it, both after the examples."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from featx_api import GROUP, VERSION

from examples.cluster.argo_cd import API, NAMESPACE
from tests.e2e.charts.release import ROOT, kubectl, run_of
from tests.e2e.polling import eventually

EXAMPLES = ROOT / "examples/gitops/argo-cd"
BRANCH = "main"
TEAM = "featx-gitops-red"
EXAMPLE_URL = "https://git.example.com/platform/featx"
PATIENCE = 180.0

Manifest = dict[str, Any]


class Repository:
    """A git repository on this machine, with the charts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"
        self._git("init", "--quiet", f"--initial-branch={BRANCH}")
        for chart in ("featx-crds", "featx"):
            shutil.copytree(ROOT / "charts" / chart, folder / "charts" / chart)
        self.commit({})

    def commit(self, changes: Mapping[str, Manifest | None]) -> None:
        """Commits files, each with one resource; None removes a file."""
        for name, body in changes.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if body is None:
                path.unlink()
            else:
                path.write_text(yaml.safe_dump(body))
        self._git("add", "--all")
        self._git("-c", "user.name=platform", "-c", "user.email=platform@example.com", "commit", "--quiet", "-m", "x")

    def example(self, name: str) -> list[Manifest]:
        """The resources of an example, of this repository instead of the one that is named there."""
        text = (EXAMPLES / name).read_text().replace(EXAMPLE_URL, self.url)
        return list(yaml.safe_load_all(text.replace("examples/gitops/teams", "teams")))

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(self.folder), *arguments], check=True)


class App:
    """An Application, as the API server has it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def body(self) -> Manifest:
        output = kubectl("get", "application", self.name, f"--namespace={NAMESPACE}", "--output=json").stdout
        return dict(json.loads(output))

    @property
    def state(self) -> tuple[str, str]:
        """Its sync status and its health."""
        status = self.body.get("status", {})
        return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")

    def refresh(self) -> App:
        """Has Argo CD look at git and the cluster again, now."""
        annotation = "argocd.argoproj.io/refresh=hard"
        kubectl("annotate", "application", self.name, f"--namespace={NAMESPACE}", annotation, "--overwrite")
        eventually(lambda: "argocd.argoproj.io/refresh" not in self.body["metadata"].get("annotations", {}), "refresh")
        return self

    def resource(self, kind: str, name: str) -> tuple[str, str, str]:
        """Sync status, health and message of one of its resources; empty without it."""
        for item in self.body.get("status", {}).get("resources", []):
            if (item["kind"], item["name"]) == (kind, name):
                health = item.get("health", {})
                return item.get("status", ""), health.get("status", ""), health.get("message", "")
        return "", "", ""

    def until(self, sync: str, health: str, patience: float = PATIENCE) -> App:
        """Waits for sync status and health."""
        try:
            eventually(lambda: self.state == (sync, health), f"{self.name} is {sync} and {health}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; {json.dumps(self.body.get('status'), indent=1)}") from None
        return self

    def until_resource(self, kind: str, name: str, health: str, message: str = "") -> App:
        """Waits for the health of a resource, and for words in its message."""

        def reached() -> bool:
            _, current, text = self.resource(kind, name)
            return current == health and message in text

        try:
            eventually(reached, f"{kind} {name} is {health}: {message}", PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}; {json.dumps(self.body.get('status'), indent=1)}") from None
        return self

    def actions(self, kind: str, name: str) -> set[str]:
        """The actions that Argo CD offers on one of its resources."""
        query = urllib.parse.urlencode(self._named(kind, name))
        answer = _api(f"/api/v1/applications/{self.name}/resource/actions?{query}")
        return {action["name"] for action in answer["actions"] if not action.get("disabled")}

    def act(self, action: str, kind: str, name: str) -> None:
        """Runs an action of Argo CD, as its interface does."""
        body = {"name": self.name, "action": action, **self._named(kind, name)}
        _api(f"/api/v1/applications/{self.name}/resource/actions/v2", body)

    def _named(self, kind: str, name: str) -> dict[str, str]:
        return {"namespace": TEAM, "resourceName": name, "group": GROUP, "version": VERSION, "kind": kind}

    def stop_syncing(self) -> None:
        """Ends an operation that is under way, as `argocd app terminate-op` does."""
        _api(f"/api/v1/applications/{self.name}/operation", method="DELETE")

    def delete(self) -> None:
        """Deletes it with what it has synced, and waits for that."""
        kubectl("delete", "application", self.name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--timeout=120s")


def _api(path: str, body: object = None, method: str = "") -> Manifest:
    """The answer of Argo CD's own API server."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    method = method or ("GET" if body is None else "POST")
    request = urllib.request.Request(f"{API}{path}", data, headers, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        return dict(json.load(response))


def run(name: str, script: str, wave: int = 0, **spec: Any) -> Manifest:
    """A run of the team, without a namespace, as teams commit it."""
    body = run_of(TEAM, name, script, **spec)
    body["metadata"] = {"name": name, "annotations": {"argocd.argoproj.io/sync-wave": str(wave)}}
    return body


def schedule(name: str, wave: int = 0, **spec: Any) -> Manifest:
    """A schedule of the team that is not due this year."""
    template = run("x", "succeed 1")["spec"]
    return {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtractionSchedule",
        "metadata": {"name": name, "annotations": {"argocd.argoproj.io/sync-wave": str(wave)}},
        "spec": {"schedule": "0 0 1 1 *", "template": {"spec": template}, **spec},
    }
