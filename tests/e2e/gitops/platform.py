"""What the platform team and the ApplicationSet create, after the examples: for the tests and the benchmark."""

from __future__ import annotations

from examples.cluster.argo_cd import NAMESPACE
from tests.e2e.charts.release import kubectl
from tests.e2e.gitops.repository import TEAM, App, Repository
from tests.e2e.operator.harness import IMAGE
from tests.e2e.operator.image import OPERATOR_IMAGE

VALUES = {
    "image": OPERATOR_IMAGE,
    "jobImage": IMAGE,
    "replicas": 1,
    "namespaces": [],
    "tenants": {TEAM: {"edit": {"groups": ["red"]}}},
    "settings": {"FEATX_PROGRESS_SECONDS": "1", "FEATX_BACKOFF_SECONDS": "1"},
}


def start_platform(repository: Repository) -> App:
    """Creates the project of the teams and the Application of both charts, with one tenant."""
    (featx,) = repository.example("featx.yaml")
    featx["spec"]["sources"][1]["helm"]["valuesObject"] = VALUES
    project, _ = repository.example("teams.yaml")
    project["spec"]["destinations"][0]["namespace"] = TEAM
    kubectl("apply", "--filename=-", stdin=project)
    kubectl("apply", "--filename=-", stdin=featx)
    return App("featx")


def stop_platform(app: App) -> None:
    """Deletes what `start_platform` has created, and what that has."""
    app.delete()
    kubectl("delete", "appproject", "featx-teams", f"--namespace={NAMESPACE}", "--ignore-not-found")
    kubectl("delete", "namespace", TEAM, "featx-system", "--ignore-not-found", "--wait=false")


def start_app(repository: Repository, name: str) -> App:
    """Creates an Application of the folder `apps/NAME`, as the ApplicationSet would of a team's."""
    _, generated = repository.example("teams.yaml")
    template = generated["spec"]["template"]
    metadata = {**template["metadata"], "name": name, "namespace": NAMESPACE}
    spec = {**template["spec"], "destination": {**template["spec"]["destination"], "namespace": TEAM}}
    spec["source"] = {**spec["source"], "path": f"apps/{name}"}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
    kubectl("apply", "--filename=-", stdin=body)
    return App(name)
