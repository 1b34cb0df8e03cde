"""The platform: both charts with one tenant, synced by Argo CD from the repository, and Applications of the team."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.e2e.gitops.platform import start_app, start_platform, stop_platform
from tests.e2e.gitops.repository import App, Manifest, Repository

Sync = Callable[[Mapping[str, Manifest]], App]


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository, with the charts."""
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def platform(repository: Repository) -> Iterator[App]:
    """The Application of the charts, healthy."""
    app = start_platform(repository)
    try:
        yield app.until("Synced", "Healthy")
    finally:
        stop_platform(app)


@pytest.fixture
def sync(platform: App, repository: Repository, request: pytest.FixtureRequest) -> Iterator[Sync]:
    """Commits files to a folder of the test's own, and has them synced."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")

    def start(files: Mapping[str, Manifest]) -> App:
        repository.commit({f"apps/{name}/{file}": body for file, body in files.items()})
        return start_app(repository, name)

    yield start
    App(name).delete()
