"""`make bench`: measures the main job on a real node and writes docs/bench/main-job.json and docs/bench/main-job.md."""

from __future__ import annotations

import sys

from tests.e2e.__main__ import in_cluster

if __name__ == "__main__":
    sys.exit(in_cluster([sys.executable, "-m", "tests.bench.main_job"]))
