"""One-node Kubernetes for the end-to-end tests and the demo; it needs no Docker, no image registry and no systemd.

`python -m examples.cluster up` starts it, `exec -- COMMAND` runs a client in its network, `down` leaves nothing behind.
Start reading at `local.py`, which says what is started in which order; `choice.py` says when another cluster is used.
"""

from examples.cluster.choice import Cluster, choose
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build
from examples.cluster.remains import leftovers

__all__ = ["Build", "Cluster", "ClusterError", "choose", "leftovers"]
