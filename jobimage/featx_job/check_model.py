"""The entry point of a pod that checks a model: `python -m featx_job.check_model`.

It reads the files of a VisionModel as a run's driver would, and reports what it has found as its termination message.
The pod has no token for the API server: whatever a hostile file makes of this process, it can only lie about itself.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from featx_api import contract
from featx_api.contract import ExitCode
from featx_api.failures import FailureClass
from featx_api.nets import NamedNet
from featx_api.s3 import StoreAccess
from featx_api.status import Failure
from featx_api.vision_model import FEATX_MODEL, Graph, ModelReport

from featx_job import failures
from featx_job.environment import Cluster, Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from featx_job.models.summary import summary
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Network
from featx_job.nets.prepare import prepare_detector, prepare_extractor

LOG = logging.getLogger("featx_job")
PATIENCE = 60.0  # seconds for a store that does not respond; the operator tries again
_ELLIPSIS = " …"


def main(variables: Mapping[str, str] = os.environ, message: Path = Path(contract.TERMINATION_MESSAGE_FILE)) -> int:
    """Check the model that the operator names; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    report = check(NamedNet.from_json(variables[FEATX_MODEL]), environment(variables))
    message.write_text(shown(report))
    if report.failure:
        LOG.error("%s: %s", report.failure.class_, report.failure.message)
        return ExitCode.RETRYABLE if report.retryable else ExitCode.PERMANENT
    LOG.info("the model is valid: %s", report.graph)
    return ExitCode.SUCCEEDED


def environment(variables: Mapping[str, str]) -> Environment:
    """Return the environment of the pod: as a driver's, so that nothing but mounted claims and stores is read."""
    return Environment(
        jars=Path(),
        work=Path(variables.get(contract.FEATX_WORK, contract.WORK_FOLDER)),
        secrets=Path(variables.get(contract.FEATX_SECRETS, contract.SECRETS_FOLDER)),
        claims=Path(contract.CLAIMS_FOLDER),
        cluster=Cluster(pod_name="", namespace="", pod_ip="", image="", executor_template=""),
    )


def check(net: NamedNet, environment: Environment) -> ModelReport:
    """Return what a model is, or why it can't be used. Never raises."""
    try:
        reach = fetch.Reach(StoreAccess(), "spec.model.s3", PATIENCE)
        return ModelReport(graph=_graph(fetch.read(reach, net.model, "spec.model", environment), net.layer))
    except RunFailure as failure:
        reason = failure
    except ModelError as error:
        reason = RunFailure(FailureClass.MODEL_INVALID, str(error))
    except Exception as error:
        LOG.error("nobody foresaw %s", failures.trace(error))
        reason = failures.from_exception(error)
    return ModelReport(failure=reason.to_status(), retryable=reason.retryable)


def _graph(network: Network, layer: str | None) -> Graph:
    """Return the summary of a net that can be used.

    Raises:
        ModelError: It can't, as what it seems to be.
    """
    graph = summary(network)
    if any(isinstance(one.operation, operations.DetectionOutput) for one in network.layers):
        prepare_detector(network)
        graph = graph.model_copy(update={"detector": True})
    if layer is not None:
        try:
            length = prepare_extractor(network, layer).length
        except ModelError as error:
            raise ModelError(f"spec.layer: {error}") from None
        graph = graph.model_copy(update={"feature_length": length})
    return graph


def shown(report: ModelReport) -> str:
    """Return the report as JSON of at most `TERMINATION_MESSAGE_LIMIT` bytes: it loses text and outputs, not form."""
    text = _json(report)
    while (excess := len(text.encode()) - contract.TERMINATION_MESSAGE_LIMIT) > 0:
        if report.graph is not None:
            outputs = report.graph.outputs[: len(report.graph.outputs) // 2]
            report = report.model_copy(update={"graph": report.graph.model_copy(update={"outputs": outputs})})
        elif report.failure is not None:
            kept = report.failure.message.encode()[: -excess - len(_ELLIPSIS.encode())].decode(errors="ignore")
            report = report.model_copy(
                update={"failure": Failure(class_=report.failure.class_, message=kept + _ELLIPSIS)}
            )
        text = _json(report)
    return text


def _json(report: ModelReport) -> str:
    return json.dumps(report.to_wire(), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
