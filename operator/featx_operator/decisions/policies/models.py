"""`modelRef`: a run waits until the models that it refers to are Ready, and keeps to what they say then.

Nothing is recorded of a run that waits, so its spec can still be corrected and no deadline counts. With its start the
models are pinned in its status: every attempt computes with them, or rows of one table would come from two nets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from featx_api.nets import ModelRef
from featx_api.spec import Part
from featx_api.status import PinnedModel
from featx_api.vision_model import CLUSTER_KIND

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.run import Plan, Run
from featx_operator.objects import with_nets
from featx_operator.state.models import pinned

AGAIN_SECONDS = 60.0  # a change of the model wakes the run, unless a watch has lost it


class Problem(NamedTuple):
    """Why a run can't start with a model.

    Attributes:
        message: The field, the model, and the way out.
        stalled: Whether somebody has to change something.
    """

    message: str
    stalled: bool = False


def waits(run: Run) -> Plan | None:
    """Waits for the first model that is not Ready; None if all are."""
    refs = run.resource.spec.model_refs()
    problem = next((found for part, ref in refs.items() if (found := _problem(run, part, ref))), None)
    if problem is None:
        return None
    finding = Finding("False", reasons.MODEL_NOT_READY, problem.message)
    status = run.report(
        {
            "DriverReady": finding._replace(message=""),
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": finding._replace(status="Unknown"),
            "Reconciling": finding._replace(status="False" if problem.stalled else "True"),
            "Stalled": finding._replace(status="True") if problem.stalled else Finding("False", reasons.AS_EXPECTED),
        }
    )
    return Plan((), status, requeue_after=AGAIN_SECONDS)


def pins(run: Run) -> list[PinnedModel]:
    """What is recorded of the run's models when it starts; they are Ready."""
    return [pinned(part, run.observed.models[part]) for part in run.resource.spec.model_refs()]


def described(run: Run) -> Run:
    """The run with what its models say in place of references; they are Ready."""
    return replace(run, resource=with_nets(run.resource, {pin.field: pin.net for pin in pins(run)}))


def _problem(run: Run, part: Part, ref: ModelRef) -> Problem | None:
    field, model = f"spec.{part}.modelRef", run.observed.models.get(part)
    if ref.kind == CLUSTER_KIND and not run.settings.cluster_models:
        text = "this operator serves no ClusterVisionModels: use a VisionModel, or ask the platform team to set "
        return Problem(f"{field}: {text}clusterModels.enabled in the chart's values", stalled=True)
    if model is None:
        where = "" if ref.kind == CLUSTER_KIND else f" in namespace {run.resource.metadata['namespace']}"
        return Problem(f"{field}: {ref} not found{where}: create it, or correct the name")
    if not model.ready:
        return Problem(f"{field}: {ref} is not Ready: {model.problem}", model.stalled)
    if model.net is None:
        return Problem(f"{field}: this operator does not understand {ref}: upgrade it", stalled=True)
    if part == "detector" and not model.detector:
        return Problem(f"{field}: {ref} is no SSD, so it can't be a detector: refer to another model", stalled=True)
    if part == "extractor" and run.resource.spec.extractor.layer is None and model.net.layer is None:
        return Problem(f"spec.extractor.layer is missing: {ref} names none either; set one of them", stalled=True)
    return None
