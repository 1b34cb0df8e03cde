"""Translates the resource into the executors' own settings; nothing else passes a field of the resource to Java."""

from __future__ import annotations

import json
from collections.abc import Iterable

from featx_api import executor_contract as executor
from featx_api import nets
from featx_api.execution import Decoding
from featx_api.spec import FeatureExtractionSpec

from featx_job.source import hbase
from featx_job.spark.memory import Sizes
from featx_job.spark.settings import shards_at_once
from featx_job.table.output import OutputFolders

MEGAPIXEL = 1_000_000
MEBIBYTE = 1024 * 1024


def task_settings(
    spec: FeatureExtractionSpec,
    sizes: Sizes,
    cores: int,
    folders: OutputFolders | None,
    samples: Iterable[str] = (),
    url_hosts: tuple[str, ...] = (),
) -> executor.TaskSettings:
    """Return what all tasks of a run share.

    Args:
        spec: The run's.
        sizes: Batch and streams of an executor.
        cores: Threads of an executor.
        folders: Where executors write; None if they write nothing.
        samples: Shards with images from across the source, as lines.
        url_hosts: Hosts that images may be fetched from.
    """
    patience = executor.Patience(seconds=spec.execution.store_timeout_seconds)
    return executor.TaskSettings(
        detector=_detector(spec.detector) if spec.detector else None,
        extractor=executor.ExtractorSettings(
            input=_input(spec.extractor.input),
            binarization=_binarization(spec.extractor.binarize) if spec.extractor.binarize else None,
        ),
        decoding=_decoding(spec.decoding),
        max_pixels=spec.limits.megapixels * MEGAPIXEL,
        shards_at_once=shards_at_once(sizes),
        compilation=executor.Compilation(
            engine=spec.engine, precision=spec.precision, batch=sizes.batch, cores=cores, streams=sizes.streams
        ),
        source=executor.ReadSettings(
            max_bytes=spec.limits.mebibytes * MEBIBYTE,
            hbase=_hbase(spec),
            patience=patience,
            samples=_samples(samples),
            url_hosts=url_hosts,
        ),
        table=_table(folders, spec, patience) if folders else None,
    )


def _samples(lines: Iterable[str]) -> executor.Samples:
    listed = [line for line in map(json.loads, lines) if "objects" in line]
    objects = tuple((key, size) for line in listed for key, size in line["objects"])
    return executor.Samples(base=listed[0]["base"] if listed else "", objects=objects)


def _hbase(spec: FeatureExtractionSpec) -> executor.HBaseTable | None:
    source = spec.source
    if source.hbase is None:
        return None
    globs = ([], []) if source.keys else (source.include, source.exclude)
    return hbase.table_settings(source.hbase, spec.output.uri, *globs)


def _detector(detector: nets.Detector) -> executor.DetectorSettings:
    policy = executor.SubjectPolicy(
        classes=tuple(detector.classes),
        threshold=detector.score_threshold,
        margin=detector.crop.margin,
        min_area=detector.crop.min_area,
        skip=detector.crop.fallback == "skip",
    )
    return executor.DetectorSettings(input=_input(detector.input), policy=policy)


def _input(given: nets.NetInput) -> executor.NetInput:
    first, second, third = given.mean
    return executor.NetInput(mean=(first, second, third), scale=given.scale, swap=given.channels == "RGB")


def _binarization(binarize: nets.Binarize) -> executor.Binarization:
    return executor.Binarization(threshold=binarize.threshold if binarize.method == "fixed" else None)


def _decoding(decoding: Decoding) -> executor.Decoding:
    red, green, blue = bytes.fromhex(decoding.background[1:])
    return executor.Decoding(background=(red, green, blue), keep_damaged=decoding.damaged == "keep")


def _table(folders: OutputFolders, spec: FeatureExtractionSpec, patience: executor.Patience) -> executor.TableSettings:
    return executor.TableSettings(
        features_folder=folders.features,
        damaged=spec.decoding.damaged == "keep",
        logged=folders.logged,
        quarantine_folder=folders.quarantine,
        done_folder=folders.done,
        carry=spec.source.carry,
        patience=patience,
    )
