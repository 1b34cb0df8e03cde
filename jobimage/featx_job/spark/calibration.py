"""Quantizes a run's nets to 8-bit integers before the run: observes images of the source, then judges by others.

The observation is stored with the run's shards, so that every attempt computes with the same integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from featx_api.executor_contract import Comparison, Observation, SeenValues
from featx_api.failures import FailureClass
from featx_api.nets import Quantization
from featx_api.spec import FeatureExtractionSpec

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.models.fetch import NetFiles, Nets
from featx_job.nets.prepare import PreparedNet
from featx_job.nets.protobuf_wire import Parts
from featx_job.nets.quantization import ObservedRanges
from featx_job.source.shard_list import ShardList
from featx_job.spark.session import Session
from featx_job.table.run_files import RunFiles

FILE = "quantization.json"
SCHEMA_VERSION = 1


def net_files(
    spec: FeatureExtractionSpec,
    nets: Nets,
    shards: ShardList,
    files: RunFiles,
    session: Session,
    report: Callable[[str], None],
) -> NetFiles:
    """Return the network files of a run in int8, after checking that they are accurate enough.

    Args:
        spec: The run's.
        nets: Its nets.
        shards: All its images.
        files: Where state for later attempts is saved.
        session: Runs nets on images.
        report: Called now and then with the current step.

    Raises:
        RunFailure: CalibrationFailed, Int8Inaccurate, or why executors can't work.
    """
    state = files.load(FILE)
    if state is not None:
        return _quantized(nets, Observation.model_validate(_stored(state, "seen")))
    limits = spec.quantization or Quantization()
    observed, others = shards.samples(limits.images)
    watched = NetFiles(nets.detector.watched_file() if nets.detector else None, nets.extractor.watched_file())
    seen = session.observe_ranges(observed, watched, lambda: report(f"int8 is calibrated on {limits.images} images"))
    if seen.extractor is None:
        raise RunFailure(
            FailureClass.CALIBRATION_FAILED,
            f"spec.precision int8: none of {limits.images} source images could be used to calibrate; "
            "raise spec.quantization.images, or run with precision f32 to see why they fail",
        )
    quantized = _quantized(nets, seen)
    quality = session.compare(others, watched, quantized, lambda: report("int8 is compared with f32 on other images"))
    _judge(quality, limits)
    state = stored_json.to_bytes({"seen": seen.to_wire(), "quality": quality.to_wire()}, SCHEMA_VERSION)
    files.save(FILE, state)
    return quantized


def quality(files: RunFiles) -> Comparison | None:
    """Return how far integers were from floats when they were judged before the run."""
    state = files.load(FILE)
    return None if state is None else Comparison.model_validate(_stored(state, "quality"))


def _stored(state: bytes, part: str) -> dict[str, Any]:
    """Return a part of the stored state; earlier versions of Featx had another name for images."""
    content: dict[str, Any] = stored_json.from_bytes(state, SCHEMA_VERSION, FILE)[part]
    return {"images" if name == "pictures" else name: value for name, value in content.items()}


def _quantized(nets: Nets, seen: Observation) -> NetFiles:
    assert seen.extractor is not None
    detector = _net(nets.detector, seen.detector) if nets.detector and seen.detector else None
    return NetFiles(detector, _net(nets.extractor, seen.extractor))


def _net(net: PreparedNet, seen: SeenValues) -> Parts:
    return net.int8_file(ObservedRanges(seen.input, seen.outputs))


def _judge(quality: Comparison, limits: Quantization) -> None:
    hint = "use precision bf16 (engine openvino) or f32"
    if quality.cosine < limits.min_cosine:
        raise RunFailure(
            FailureClass.INT8_INACCURATE,
            f"spec.precision int8: on {quality.images} source images the mean cosine between int8 and f32 features is "
            f"{quality.cosine:.4f}, but spec.quantization.minCosine is {limits.min_cosine:g}: {hint}",
        )
    if quality.agreement < limits.min_agreement:
        raise RunFailure(
            FailureClass.INT8_INACCURATE,
            f"spec.precision int8: on {quality.agreement:.0%} of {quality.images} images the same subject is detected "
            f"as in f32, but spec.quantization.minAgreement is {limits.min_agreement:g}: {hint}",
        )
