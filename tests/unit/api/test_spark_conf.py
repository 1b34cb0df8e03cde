"""sparkConf is an allow-list: nothing by which a run could leave its bounds is on it, and every value has a form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from featx_api import docs, spark_conf
from featx_api.crd import resource_schema
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError

from tests.support.bad_resources import changed
from tests.support.dangerous_spark_conf import CODE, DANGEROUS, DOORS, PODS

FIELD = "spec.execution.sparkConf"
#: One value of each form, as users write it.
VALUES = {
    spark_conf.BOOLEAN: "true",
    spark_conf.NUMBER: "0",
    spark_conf.COUNT: "8",
    spark_conf.FACTOR: "1.5",
    spark_conf.FRACTION: "0.75",
    spark_conf.DURATION: "10m",
    spark_conf.MILLISECONDS: "60000",
    spark_conf.SIZE: "64m",
    spark_conf.CPU: "2",
    spark_conf.PRINCIPAL: "nn/_HOST@EXAMPLE.COM",
    spark_conf.PROTECTION: "integrity,privacy",
    spark_conf.NAMES: "one,two",
    spark_conf.ADDRESS: "namenode-0.hdfs.svc:8020",
    spark_conf.PROVIDER: "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider",
    spark_conf.REPLACEMENT: "NEVER",
    spark_conf.ACCESS_PATTERN: "random",
}


def test_there_are_enough_dangerous_settings_and_none_twice() -> None:
    assert len({key for key, _ in (*CODE, *PODS, *DOORS)}) == len((*CODE, *PODS, *DOORS)) > 150
    assert len(set(DANGEROUS)) == len(DANGEROUS)


@pytest.mark.parametrize(("key", "value"), DANGEROUS, ids=[ascii(f"{key}={value}")[:100] for key, value in DANGEROUS])
def test_a_dangerous_setting_is_refused_and_named(key: str, value: str) -> None:
    with pytest.raises(ValidationError, match=r"spec\.execution\.sparkConf") as refusal:
        FeatureExtraction.model_validate(changed(FIELD, {key: value}))
    messages = [error["msg"] for error in refusal.value.errors()]
    assert all(not re.search(r"[\x00-\x1f\x7f-\x9f]", message) for message in messages)


def test_the_refusal_names_the_setting_and_the_way_out() -> None:
    settings = {"spark.plugins": "com.evil.Plugin", "spark.task.maxFailures": "many", "spark.speculation": "true"}
    with pytest.raises(ValidationError) as refusal:
        FeatureExtraction.model_validate(changed(FIELD, settings))
    (error,) = refusal.value.errors()
    assert error["msg"].removeprefix("Value error, ") == (
        f"{FIELD}.spark.plugins is not allowed: remove it, or use one that docs/reference/spark-conf.md lists; "
        f"{FIELD}.spark.task.maxFailures: must be a whole number above 0"
    )


@pytest.mark.parametrize("setting", spark_conf.SETTINGS, ids=[setting.key for setting in spark_conf.SETTINGS])
def test_every_listed_setting_is_accepted(setting: spark_conf.Setting) -> None:
    key = setting.key.replace("<name>", "team-a")
    FeatureExtraction.model_validate(changed(FIELD, {key: VALUES[setting.form]}))


def test_settings_of_a_name_service_are_accepted_together() -> None:
    provider = VALUES[spark_conf.PROVIDER]
    settings = {
        "dfs.nameservices": "images",
        "dfs.ha.namenodes.images": "nn1,nn2",
        "dfs.namenode.rpc-address.images.nn1": "namenode-0:8020",
        "dfs.namenode.rpc-address.images.nn2": "namenode-1:8020",
        "dfs.client.failover.proxy.provider.images": provider,
    }
    FeatureExtraction.model_validate(changed(FIELD, {f"spark.hadoop.{key}": value for key, value in settings.items()}))


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"request": "500m", "limit": "1"}, True),
        ({"limit": "2"}, True),
        ({"limit": "1500m"}, False),
        ({"request": "2", "limit": "1.5"}, False),
    ],
)
def test_a_cpu_limit_below_the_request_is_refused(settings: dict[str, str], fits: bool) -> None:
    conf = {f"spark.kubernetes.executor.{name}.cores": value for name, value in settings.items()}
    resource = changed(FIELD, conf)  # with two cores per executor
    if fits:
        FeatureExtraction.model_validate(resource)
    else:
        with pytest.raises(ValidationError, match="must not be lower than the CPU request"):
            FeatureExtraction.model_validate(resource)


@pytest.mark.parametrize("form", VALUES, ids=[form.name for form in VALUES])
def test_no_value_can_begin_a_second_setting_or_a_substitution(form: spark_conf.Form) -> None:
    example = VALUES[form]
    for addition in ("=", "$", "${user.home}", "\n", "\r", "\0", " ", ";", "\\", "'", '"', "\x1b"):
        assert not re.fullmatch(form.pattern, example + addition)
        assert not re.fullmatch(form.pattern, addition + example)


def test_the_crd_names_the_setting_too() -> None:
    schema = resource_schema()["properties"]["spec"]["properties"]["execution"]["properties"]["sparkConf"]
    first = schema["x-kubernetes-validations"][0]
    assert first["messageExpression"].endswith("docs/reference/spark-conf.md lists'")
    assert len(schema["x-kubernetes-validations"]) == 1 + len(VALUES)


def test_the_committed_page_is_up_to_date_with_the_list() -> None:
    page = Path("docs/reference/spark-conf.md").read_text()
    assert page == docs.spark_conf(), "run `make generate`"
    assert page.count("\n| `spark.") == len(spark_conf.SETTINGS)
