"""Which steps of earlier builds are kept."""

from __future__ import annotations

from examples.cluster.image_store import unused_steps

LOG = """\
[1/2] STEP 1/2: FROM localhost/debian:bookworm-slim
[1/2] STEP 2/2: RUN true
--> Using cache 0dd945a31912e1e6e4ec47cfb77e390bdbb90b1e6ba4274ec3a08f8831058b12
--> 0dd945a3191
[2/2] STEP 1/1: COPY crds crds
--> 42e34cba9c2
"""


def test_steps_used_or_created_by_the_last_build_are_kept() -> None:
    taken = "sha256:0dd945a31912e1e6e4ec47cfb77e390bdbb90b1e6ba4274ec3a08f8831058b12"
    created = "sha256:42e34cba9c2efba010583d2d61e063009d1c0f7cee883a320821b2d71f0d6f08"
    old = "sha256:50297837f7b6f55174046d1bb71bd467b365e2fe9c2de829dc905b54cc2fffa0"
    assert unused_steps([created, old, taken], LOG) == [old]


def test_without_a_log_no_step_is_known_to_be_used() -> None:
    assert unused_steps(["sha256:0dd945a31912"], "") == ["sha256:0dd945a31912"]
