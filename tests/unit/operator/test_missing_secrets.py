"""Only what the kubelet or the scheduler itself says of a missing object is believed; others quote any text."""

from __future__ import annotations

import pytest
from featx_operator.state.observed import PodWaiting

from tests.unit.operator.world import World

MISSING = 'secret "store" not found'
PULL = f"failed to pull image registry/featx/job:1: registry responded: {MISSING}"
MOUNT = 'MountVolume.SetUp failed for volume "s" : '


@pytest.mark.parametrize(
    "waiting",
    [
        PodWaiting("ImagePullBackOff", PULL),
        PodWaiting("ImagePullBackOff", MISSING),
        PodWaiting("CreateContainerError", MISSING),
        PodWaiting("CreateContainerConfigError", f"couldn't parse annotation: {MISSING}"),
        PodWaiting("FailedMount", f"{MOUNT}rpc error: code = Internal desc = {MISSING}"),
        PodWaiting("FailedMount", f"{MOUNT}mount failed: exit status 32, output: {MISSING}"),
        PodWaiting("FailedMount", f"{MOUNT}{MISSING} by the driver of volumes"),
        PodWaiting("Unschedulable", f'0/3 nodes are available: {MISSING}: persistentvolumeclaim "a" not found'),
    ],
    ids=lambda waiting: waiting.message,
)
def test_a_quoted_text_about_a_missing_object_is_not_one(waiting: PodWaiting) -> None:
    world = World(backoffLimit=3)
    world.converge()
    world.absent_secrets = {"store"}
    world.wait(waiting.reason, waiting.message)
    world.mount_failure = waiting if waiting.reason == "FailedMount" else None
    world.advance(60).converge()
    assert world.state("Succeeded")[0] == "Unknown"
    assert world.condition("DriverReady").reason not in ("SecretNotFound", "ClaimNotFound")


@pytest.mark.parametrize(
    ("waiting", "reason"),
    [
        (PodWaiting("FailedMount", MOUNT + MISSING), "SecretNotFound"),
        (PodWaiting("CreateContainerConfigError", MISSING), "SecretNotFound"),
        (PodWaiting("Unschedulable", 'persistentvolumeclaim "a" not found'), "ClaimNotFound"),
        (
            PodWaiting(
                "Unschedulable",
                '0/3 nodes are available: persistentvolumeclaim "a" not found. preemption: 0/3 nodes are available.',
            ),
            "ClaimNotFound",
        ),
    ],
    ids=["volume", "variable", "claim", "claim among nodes"],
)
def test_a_missing_object_is_recognized_in_the_clusters_own_messages(waiting: PodWaiting, reason: str) -> None:
    world = World()
    world.converge()
    world.absent_secrets = {"store"}
    world.wait(waiting.reason, waiting.message)
    world.mount_failure = waiting if waiting.reason == "FailedMount" else None
    world.converge()
    assert world.state("DriverReady") == ("False", reason)
