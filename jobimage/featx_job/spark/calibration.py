"""Brings a run's nets to 8-bit integers: looks at images of the source, then judges by others, all before the run.

What was seen is kept beside the run's shards, so that every attempt computes with the same integers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from featx_api.failures import FailureClass
from featx_api.nets import Quantization
from featx_api.spec import FeatureExtractionSpec

from featx_job.failures import RunFailure
from featx_job.models.fetch import NetFiles, Nets
from featx_job.nets.prepare import PreparedNet
from featx_job.nets.protobuf_wire import Parts
from featx_job.nets.quantization import ObservedRanges
from featx_job.source.shards import ShardList
from featx_job.spark.session import Session
from featx_job.table.output import RunOutput
from featx_job.table.run_files import RunFiles

KEPT = "quantization.json"


def net_files(
    spec: FeatureExtractionSpec,
    nets: Nets,
    shards: ShardList,
    output: RunOutput,
    session: Session,
    tell: Callable[[str], None],
) -> NetFiles:
    """Returns what executors of a run load: nets in integers that were found to be near enough.

    Args:
        spec: The run's.
        nets: Its nets.
        shards: All its images.
        output: Where it saves what later attempts need.
        session: Runs nets on images.
        tell: Called now and then with what is being done.

    Raises:
        RunFailure: CalibrationFailed, Int8Inaccurate, or why executors can't work.
    """
    kept = output.files.load(KEPT)
    if kept is not None:
        return _quantized(nets, json.loads(kept)["seen"])
    limits = spec.quantization or Quantization()
    looked_at, others = shards.samples(limits.images)
    watched = NetFiles(nets.detector.watched_file() if nets.detector else None, nets.extractor.watched_file())
    seen = session.look(
        looked_at, watched, output.folders, lambda: tell(f"int8 is calibrated on {limits.images} images")
    )
    if seen["extractor"] is None:
        raise RunFailure(
            FailureClass.CALIBRATION_FAILED,
            f"spec.precision int8: none of {limits.images} source images could be used to calibrate; "
            "raise spec.quantization.images, or run with precision f32 to see why they fail",
        )
    files = _quantized(nets, seen)
    quality = session.compare(
        others, watched, files, output.folders, lambda: tell("int8 is compared with f32 on other images")
    )
    _judge(quality, limits)
    output.files.save(KEPT, json.dumps({"seen": seen, "quality": quality}, sort_keys=True).encode())
    return files


def quality(files: RunFiles) -> dict[str, Any] | None:
    """Returns how near integers came to floats, as it was measured before the run."""
    kept = files.load(KEPT)
    if kept is None:
        return None
    found: dict[str, Any] = json.loads(kept)["quality"]
    return found


def _quantized(nets: Nets, seen: dict[str, Any]) -> NetFiles:
    detector = _of(nets.detector, seen["detector"]) if nets.detector else None
    return NetFiles(detector, _of(nets.extractor, seen["extractor"]))


def _of(net: PreparedNet, seen: dict[str, Any]) -> Parts:
    return net.int8_file(ObservedRanges.from_json(seen))


def _judge(quality: dict[str, Any], limits: Quantization) -> None:
    images, cosine, agreement = quality["images"], quality["cosine"], quality["agreement"]
    hint = "use precision bf16 (engine openvino) or f32"
    if cosine < limits.min_cosine:
        raise RunFailure(
            FailureClass.INT8_INACCURATE,
            f"spec.precision int8: on {images} source images the mean cosine between int8 and f32 features is "
            f"{cosine:.4f}, but spec.quantization.minCosine is {limits.min_cosine:g}: {hint}",
        )
    if agreement < limits.min_agreement:
        raise RunFailure(
            FailureClass.INT8_INACCURATE,
            f"spec.precision int8: on {agreement:.0%} of {images} images the same subject is detected as in f32, but "
            f"spec.quantization.minAgreement is {limits.min_agreement:g}: {hint}",
        )
