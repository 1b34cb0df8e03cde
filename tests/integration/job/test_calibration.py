"""The calibration before an int8 run, on any CPU: value ranges are observed, and nets compared with float32."""

from __future__ import annotations

from pathlib import Path

from featx_api.contract import JobSpec
from featx_api.spec import FeatureExtractionSpec
from featx_job.clients.hadoop import Hadoop
from featx_job.models import fetch
from featx_job.models.fetch import NetFiles
from featx_job.planning import plan_shards
from featx_job.spark import memory, settings
from featx_job.spark.session import Session

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec


def test_value_ranges_are_observed_and_float32_nets_match_themselves(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(6):
        (tmp_path / "in" / f"{seed}.jpg").write_bytes(drawings.encoded(drawings.scene(seed=seed)))
    locations = {"source": {"files": {"uri": f"file://{tmp_path}/in"}}, "output": {"uri": f"file://{tmp_path}/out"}}
    spec = FeatureExtractionSpec.model_validate({**tiny, **locations})
    job = JobSpec(name="calibration", namespace="default", uid="calibration", attempt=1, spec=spec)
    nets = fetch.load(spec, runner.environment)
    assert nets.detector
    sizes = memory.sizes(nets.networks(), spec, 2)
    conf = settings.conf(job, runner.environment, sizes)
    calibration, validation = plan_shards(spec, runner.environment, Hadoop(lambda: conf, 3), None).samples(3)
    watched = NetFiles(nets.detector.watched_file(), nets.extractor.watched_file())
    with Session(job, runner.environment, sizes, conf) as session:
        values = session.observe_ranges(calibration, watched, lambda: None)
        quality = session.compare(validation, watched, nets.files(), lambda: None)
    assert values.images == quality.images == 3
    for ranges in (values.detector, values.extractor):
        assert ranges
        assert ranges.outputs
        assert all(low <= high for low, high in (ranges.input, *ranges.outputs))
    assert quality.lowest_cosine > 0.9999
    assert quality.agreement == 1
