"""Images in an HBase inside the cluster; its server and the loader run in the job image, which has all they need."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.names import ENDPOINT, STORE_SECRET
from tests.e2e.run.harness import Store, apply, kubectl, resource
from tests.support import images
from tests.support.stores.hbase import FLAGS, SITE, properties

FILES = images.paths(6)
CLASS_PATH = "/tmp/conf:/opt/featx/jars/*:/opt/featx/lib/python3.11/site-packages/pyspark/jars/*"
SERVE = f"""mkdir -p /tmp/conf && printf %s "$SITE" | sed "s/POD_IP/$POD_IP/g" > /tmp/conf/hbase-site.xml &&
exec java -Xmx400m {" ".join(FLAGS)} -cp '{CLASS_PATH}' org.apache.hadoop.hbase.master.HMaster start"""
LOAD = f"""
import base64, json, sys
from py4j.java_gateway import JavaGateway, GatewayParameters, launch_gateway
import glob
(jar,) = glob.glob("/opt/featx/lib/python3.11/site-packages/pyspark/jars/py4j-*.jar")
port = launch_gateway(jarpath=jar, classpath="{CLASS_PATH}", javaopts={FLAGS}, die_on_exit=True)
jvm = JavaGateway(gateway_parameters=GatewayParameters(port=port)).jvm
hbase = jvm.org.apache.hadoop.hbase
connection = hbase.client.ConnectionFactory.createConnection(hbase.HBaseConfiguration.create())
name = hbase.TableName.valueOf("photos")
family = hbase.client.ColumnFamilyDescriptorBuilder.of("p")
connection.getAdmin().createTable(hbase.client.TableDescriptorBuilder.newBuilder(name).setColumnFamily(family).build())
for row, data in json.load(sys.stdin).items():
    put = hbase.client.Put(bytearray(row.encode()))
    put.addColumn(bytearray(b"p"), bytearray(b"jpg"), bytearray(base64.b64decode(data)))
    connection.getTable(name).put(put)
"""


@pytest.fixture
def quorum(store: Store) -> Iterator[str]:
    """The ZooKeeper address of a running HBase whose table `photos` contains some images."""
    settings = {
        "hbase.rootdir": "file:///tmp/hbase",
        "hbase.zookeeper.quorum": "POD_IP",
        "hbase.zookeeper.property.clientPortAddress": "0.0.0.0",  # the master connects to it on loopback, too
        "hbase.master.hostname": "POD_IP",
        "hbase.regionserver.hostname": "POD_IP",
    }
    container = {
        "name": "hbase",
        "image": "localhost/featx/job:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", SERVE],
        "env": [
            {"name": "SITE", "value": SITE.format(properties=properties(settings))},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hbase"},
        "spec": {"securityContext": security, "containers": [container], "terminationGracePeriodSeconds": 0},
    }
    kubectl("delete", "pod", "hbase", "--ignore-not-found")
    kubectl("apply", "--filename=-", stdin=pod)
    try:
        kubectl("wait", "--for=condition=Ready", "pod/hbase", "--timeout=60s")
        cells = {path.name: base64.b64encode(path.read_bytes()).decode() for path in FILES}
        kubectl("exec", "--stdin", "hbase", "--", "timeout", "120", "python3", "-c", LOAD, stdin=cells)
        yield str(json.loads(kubectl("get", "pod", "hbase", "--output=json"))["status"]["podIP"])
    finally:
        kubectl("delete", "pod", "hbase", "--ignore-not-found", "--wait=false")


def test_images_in_hbase_become_a_table(store: Store, resnet: dict[str, Any], quorum: str) -> None:
    access = {"endpoint": ENDPOINT, "secretRef": {"name": STORE_SECRET}}
    extractor = {**resnet, "model": {**resnet["model"], "s3": access}}
    body = resource("hbase", store, None, extractor)
    body["spec"]["source"] = {"hbase": {"quorum": quorum, "table": "photos", "column": "p:jpg"}}
    body["spec"]["output"]["s3"] = access
    run = apply(body).wait()
    assert sorted(row["key"] for row in store.rows("tables/hbase")) == sorted(path.name for path in FILES)
    assert run.status["progress"]["summary"] == f"{len(FILES)}/{len(FILES)}"
