"""The job in a separate process: `python -m tests.integration.job.program_process [JOB OUTCOME]`.

Reads the job from one JSON file and writes its outcome to another. Without arguments, it reads such pairs from its
standard input, one per line, and runs them one after another in the same JVM.
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
    unfinished = Path(f"{outcome_file}.new")
    unfinished.write_text(json.dumps(outcome.to_wire()))
    unfinished.replace(outcome_file)


if __name__ == "__main__":
    for pair in [sys.argv[1:]] if sys.argv[1:] else map(str.split, sys.stdin):
        main(*pair)
