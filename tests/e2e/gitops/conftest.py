"""The platform: both charts with one tenant, synced by Argo CD from the repository, and Applications of the team."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from examples.cluster.argo_cd import NAMESPACE
from tests.e2e.charts.release import kubectl
from tests.e2e.gitops.repository import TEAM, App, Manifest, Repository
from tests.e2e.operator.harness import IMAGE
from tests.e2e.operator.image import OPERATOR_IMAGE

Sync = Callable[[Mapping[str, Manifest]], App]

VALUES = {
    "image": OPERATOR_IMAGE,
    "jobImage": IMAGE,
    "replicas": 1,
    "namespaces": [],
    "tenants": {TEAM: {"edit": {"groups": ["red"]}}},
    "settings": {"FEATX_PROGRESS_SECONDS": "1", "FEATX_BACKOFF_SECONDS": "1"},
}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository, with the charts."""
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.commit({})
    return repository


@pytest.fixture(scope="session")
def platform(repository: Repository) -> Iterator[App]:
    """The Application of the charts, healthy, and the project of the teams."""
    (featx,) = repository.example("featx.yaml")
    featx["spec"]["sources"][1]["helm"]["valuesObject"] = VALUES
    project, _ = repository.example("teams.yaml")
    project["spec"]["destinations"][0]["namespace"] = TEAM
    kubectl("apply", "--filename=-", stdin=project)
    kubectl("apply", "--filename=-", stdin=featx)
    app = App("featx").until("Synced", "Healthy")
    yield app
    app.delete()
    kubectl("delete", "appproject", "featx-teams", f"--namespace={NAMESPACE}", "--ignore-not-found")
    kubectl("delete", "namespace", TEAM, "featx-system", "--ignore-not-found", "--wait=false")


@pytest.fixture
def sync(platform: App, repository: Repository, request: pytest.FixtureRequest) -> Iterator[Sync]:
    """Commits files to a folder of the test's own, and creates an Application of it, as the ApplicationSet would."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")
    app = App(name)

    def start(files: Mapping[str, Manifest]) -> App:
        repository.commit({f"apps/{name}/{file}": body for file, body in files.items()})
        _, generated = repository.example("teams.yaml")
        template = generated["spec"]["template"]
        metadata = {**template["metadata"], "name": name, "namespace": NAMESPACE}
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata}
        spec = {**template["spec"], "destination": {**template["spec"]["destination"], "namespace": TEAM}}
        spec["source"] = {**spec["source"], "path": f"apps/{name}"}
        kubectl("apply", "--filename=-", stdin={**body, "spec": spec})
        return app

    yield start
    app.delete()
