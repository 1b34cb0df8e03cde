"""What precedes a run in 8-bit integers, which any CPU can do: values are observed, and nets compared with float32."""

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


def test_values_are_observed_and_nets_in_float32_equal_themselves(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(6):
        (tmp_path / "in" / f"{seed}.jpg").write_bytes(drawings.encoded(drawings.scene(seed=seed)))
    places = {"source": {"files": {"uri": f"file://{tmp_path}/in"}}, "output": {"uri": f"file://{tmp_path}/out"}}
    spec = FeatureExtractionSpec.model_validate({**tiny, **places})
    job = JobSpec(name="calibration", namespace="default", uid="calibration", attempt=1, spec=spec)
    nets = fetch.load(spec, runner.environment)
    assert nets.detector
    sizes = memory.sizes(nets.networks(), spec, 2)
    conf = settings.conf(job, runner.environment, sizes)
    observed, others = plan_shards(spec, runner.environment, Hadoop(lambda: conf, 3)).samples(3)
    watched = NetFiles(nets.detector.watched_file(), nets.extractor.watched_file())
    with Session(job, runner.environment, sizes, conf) as session:
        values = session.observe_ranges(observed, watched, lambda: None)
        quality = session.compare(others, watched, nets.files(), lambda: None)
    assert values.images == quality.images == 3
    for seen in (values.detector, values.extractor):
        assert seen
        assert seen.outputs
        assert all(low <= high for low, high in (seen.input, *seen.outputs))
    assert quality.lowest_cosine > 0.9999
    assert quality.agreement == 1
