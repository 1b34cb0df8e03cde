"""The job's program in a process of its own, for tests that kill it: `python -m tests.integration.job.program_process`.

Reads what to run from a JSON file, and writes the outcome to another one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from featx_api.job import JobSpec
from featx_job import program
from featx_job.surroundings import Surroundings


def main(job_file: str, outcome_file: str) -> None:
    description = json.loads(Path(job_file).read_text())
    secrets = Path(description["secrets"]) if "secrets" in description else None
    around = Surroundings(jars=Path(description["jars"]), work=Path(description["work"]), secrets=secrets)
    outcome = program.run(JobSpec.model_validate(description["job"]), around, lambda _: None)
    Path(outcome_file).write_text(json.dumps(outcome.to_wire()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
