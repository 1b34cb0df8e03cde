"""Runs that name no queue wait in the LocalQueue `default`, where their tenant says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from featx_operator import kueue
from featx_operator.admission import Admission
from featx_operator.allowed import Tenant
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed
from featx_operator.state.store import Store

from tests.unit.operator.api_server import FakeApiServer
from tests.unit.operator.queued_world import SETTINGS, QueuedWorld
from tests.unit.operator.shared_namespace import QUOTAS
from tests.unit.operator.world import START

BY_DEFAULT = replace(
    SETTINGS, allowed=SETTINGS.allowed.model_copy(update={"tenants": {"default": Tenant(default_queue=True)}})
)


def unnamed(settings: Settings = BY_DEFAULT) -> QueuedWorld:
    """A run without a queue name, after it was first reconciled."""
    world = QueuedWorld(settings).label(kueue.QUEUE_LABEL, None)
    world.converge()
    return world


def test_a_run_that_names_no_queue_waits_in_the_default_one() -> None:
    world = unnamed()
    assert world.workload and world.workload.queue == "default"
    assert world.created == []
    world.admit().converge()
    assert world.created == ["catalog-1-driver"]


def test_a_run_that_names_a_queue_waits_in_that() -> None:
    world = QueuedWorld(BY_DEFAULT)
    world.converge()
    assert world.workload and world.workload.queue == "team"
    world.label(kueue.QUEUE_LABEL, None).converge()
    assert world.workload.queue == "default"


def test_it_needs_memory_as_any_queued_run() -> None:
    world = QueuedWorld(BY_DEFAULT).label(kueue.QUEUE_LABEL, None)
    world.body["spec"]["execution"]["memory"] = None
    world.converge()
    assert world.state("Stalled") == ("True", "QueueNeedsMemory")


@pytest.mark.parametrize("settings", [SETTINGS, replace(BY_DEFAULT, kueue=False)], ids=["another tenant", "no Kueue"])
def test_without_a_default_queue_it_starts_at_once(settings: Settings) -> None:
    assert unnamed(settings).created == ["catalog-1-driver"]


def test_a_running_run_goes_on_when_its_tenant_loses_the_default_queue() -> None:
    world = unnamed()
    assert world.workload
    world.admit().converge()
    world.run().converge()
    world.settings = SETTINGS
    world.converge()
    assert not world.driver.deleting
    world.succeed().converge()
    assert world.workload.is_true("Finished")


@pytest.mark.parametrize(("settings", "claims"), [(BY_DEFAULT, 0), (replace(BY_DEFAULT, kueue=False), 1)])
def test_it_is_in_nobodys_way_in_a_resource_quota(settings: Settings, claims: int) -> None:
    world, api = unnamed(), FakeApiServer(START.isoformat())
    assert world.state("QuotaReserved") == ("False", "Queued")
    api.objects[f"{QUOTAS}/team"] = {"metadata": {"name": "team"}, "spec": {"hard": {"pods": "1"}}}
    admission = Admission(api, Store(), settings)
    admission.put(world.body)
    asyncio.run(admission.refresh("default"))
    other = {**world.body, "metadata": {**world.body["metadata"], "name": "other", "uid": "u-2"}, "status": {}}
    view = admission.add_to(Observed(), other).quota
    assert view and len(view.others) == claims
