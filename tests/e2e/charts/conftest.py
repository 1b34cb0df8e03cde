"""The release, and the members of each team."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.charts.release import NAMESPACE, ROOT, TEAMS, VALUES, helm, install, kubectl
from tests.e2e.charts.users import User


@pytest.fixture(scope="session")
def release() -> Iterator[None]:
    """Both charts, as a platform team installs them."""
    clean_up()
    # The tests of other folders apply the CRD without helm.
    helm(
        "upgrade", "--install", "featx-crds", str(ROOT / "charts/featx-crds"), "--create-namespace", "--take-ownership"
    )
    kubectl("wait", "--for=condition=Established", "crd/featureextractions.featx.dev", "--timeout=60s")
    install(VALUES)
    yield
    clean_up()


def clean_up() -> None:
    """Removes what an earlier session or this one has left: the chart keeps namespaces."""
    for name in ("featx", "featx-crds"):
        helm("uninstall", name, "--ignore-not-found", "--wait")
    kubectl("delete", "namespace", *TEAMS, NAMESPACE, "--ignore-not-found", "--timeout=120s")


@pytest.fixture(scope="session")
def editors(release: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, User]:
    """Who may edit runs, by team: members of a group."""
    folder = tmp_path_factory.mktemp("editors")
    return {team: User(folder, f"{team}-eve", f"{team}-editors") for team in TEAMS}
