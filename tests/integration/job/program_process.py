"""The job in a separate process, for tests that kill it: `python -m tests.integration.job.program_process`.

Reads the job from one JSON file and writes its outcome to another.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from featx_api.contract import JobSpec
from featx_job import run
from featx_job.environment import Environment


def main(job_file: str, outcome_file: str) -> None:
    description = json.loads(Path(job_file).read_text())
    secrets = Path(description["secrets"]) if "secrets" in description else None
    environment = Environment(jars=Path(description["jars"]), work=Path(description["work"]), secrets=secrets)
    if "claims" in description:
        environment = replace(environment, claims=Path(description["claims"]))
    outcome = run.run(JobSpec.model_validate(description["job"]), environment, lambda _: None)
    Path(outcome_file).write_text(json.dumps(outcome.to_wire()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
