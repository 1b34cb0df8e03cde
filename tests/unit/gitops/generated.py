"""Writes the test data of Argo CD's health checks and actions: `python -m tests.unit.gitops.generated`."""

from __future__ import annotations

import yaml
from featx_api.crd import RUN, SCHEDULE

from tests.unit.gitops.captured import CUSTOMIZATIONS, action_files, runs, schedules
from tests.unit.gitops.captured_models import model_files


def files() -> dict[str, str]:
    """The text of each file, by path below the group's folder."""
    captured = ((RUN.name, runs()), (SCHEDULE.name, schedules()))
    bodies = {f"{kind}/testdata/{name}.yaml": body for kind, stages in captured for name, body in stages.items()}
    return {
        path: yaml.safe_dump(body, sort_keys=False, width=120, allow_unicode=True)
        for path, body in {**bodies, **action_files(), **model_files()}.items()
    }


def main() -> None:
    """Writes all files."""
    for path, text in files().items():
        (CUSTOMIZATIONS / path).parent.mkdir(parents=True, exist_ok=True)
        (CUSTOMIZATIONS / path).write_text(text)


if __name__ == "__main__":
    main()
