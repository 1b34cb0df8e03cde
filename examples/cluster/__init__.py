"""One-node Kubernetes for the end-to-end tests and the demo; it needs no Docker, no image registry and no systemd.

`python -m examples.cluster up` starts it, `exec -- COMMAND` runs a client in its network, `down` leaves nothing behind.
Start reading at `local.py`, which starts everything in order; `choice.py` decides when another cluster is used.
"""

from examples.cluster.choice import Cluster, choose
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build
from examples.cluster.remains import leftovers

__all__ = ["Build", "Cluster", "ClusterError", "choose", "leftovers"]
