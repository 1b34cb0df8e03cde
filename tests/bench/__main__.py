"""`make bench`: measures the main job on a real node and writes docs/bench/main-job.json and docs/bench/main-job.md.

`python -m tests.bench pipeline`: measures the pipeline beside what one would otherwise write (tests/bench/pipeline).
`python -m tests.bench executor-kills`: executors killed on the node (tests/bench/executor_kills.py).
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["pipeline"]:
        from tests.bench.pipeline.__main__ import main

        sys.exit(main(sys.argv[2:]))
    from tests.e2e.__main__ import in_cluster

    module = "executor_kills" if sys.argv[1:2] == ["executor-kills"] else "main_job"
    sys.exit(in_cluster([sys.executable, "-m", f"tests.bench.{module}"]))
