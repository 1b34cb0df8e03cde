"""Deploys a third-party S3 server in the cluster, which tests and the demo read images from and write tables to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from examples.cluster.choice import Cluster, kubectl, wait_for_rollout
from examples.cluster.images import Build

NAMESPACE = "store"
ENDPOINT = "http://s3.store.svc:8333"

FOLDER = Path(__file__).parent
IMAGE = Build("localhost/featx/seaweedfs:4.48", FOLDER / "images" / "seaweedfs.Dockerfile", FOLDER / "images")


def deploy(cluster: Cluster, access_key: str, secret_key: str) -> str:
    """Build the server's image, start it, and wait until it is ready; call it outside the cluster's network.

    Args:
        cluster: the cluster.
        access_key: access key of the only client, which may do everything.
        secret_key: its secret key.

    Returns:
        The endpoint for pods and for clients in the cluster's network.

    Raises:
        ClusterError: if the image cannot be built or the server does not start.
    """
    image = cluster.load([IMAGE])[IMAGE.tag]
    identities = json.dumps(_identities(access_key, secret_key))
    digest = hashlib.sha256(identities.encode()).hexdigest()[:16]
    manifest = (FOLDER / "manifests" / "seaweedfs.yaml").read_text()
    kubectl(cluster, "apply", "--filename=-", stdin=manifest.replace(IMAGE.tag, image).replace("DIGEST", digest))
    kubectl(cluster, "apply", "--filename=-", stdin=identities)
    wait_for_rollout(cluster, NAMESPACE, "seaweedfs")
    return ENDPOINT


def _identities(access_key: str, secret_key: str) -> dict[str, object]:
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    identity = {"name": "featx", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s3-identities", "namespace": NAMESPACE},
        "stringData": {"s3.json": json.dumps({"identities": [identity]})},
    }
