"""Settings that sparkConf may contain take effect, and those that Featx sets are not among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from featx_api.contract import JobSpec
from featx_api.resource import FeatureExtraction
from featx_api.spark_conf import SETTINGS, Setting
from featx_job.environment import Cluster, Environment
from featx_job.spark import settings
from featx_job.spark.memory import Sizes

from tests.support.bad_resources import changed
from tests.unit.api.test_spark_conf import VALUES

SIZES = Sizes(batch=8, streams=1, heap=1000, pod=3072)
CLUSTER = Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", "/etc/featx/job/executor-pod.yaml")


@pytest.mark.parametrize("cluster", [CLUSTER, None], ids=["in a cluster", "on this machine"])
@pytest.mark.parametrize("setting", SETTINGS, ids=[setting.key for setting in SETTINGS])
def test_an_allowed_setting_reaches_spark(setting: Setting, cluster: Cluster | None, tmp_path: Path) -> None:
    key, value = setting.key.replace("<name>", "team-a"), VALUES[setting.form]
    spec = FeatureExtraction.model_validate(changed("spec.execution.sparkConf", {key: value})).spec
    (tmp_path / "secrets" / "store").mkdir(parents=True)
    environment = Environment(jars=Path("/jars"), work=tmp_path, secrets=tmp_path / "secrets", cluster=cluster, cores=6)
    conf = settings.conf(JobSpec(name="good", namespace="team", uid="u-1", attempt=2, spec=spec), environment, SIZES)
    assert conf[key] == value
