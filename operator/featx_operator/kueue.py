"""Names of Kueue's API: what a run asks for by labels, and what a Workload and the pods of an admitted run carry."""

from __future__ import annotations

from typing import Final

GROUP: Final = "kueue.x-k8s.io"
VERSION: Final = "v1beta2"
API_VERSION: Final = f"{GROUP}/{VERSION}"
WORKLOADS: Final = "workloads"

#: Label of a FeatureExtraction: the LocalQueue of its namespace that it waits in.
QUEUE_LABEL: Final = f"{GROUP}/queue-name"
#: The LocalQueue of runs that name none, where a tenant says so; Kueue itself puts jobs of its own kinds there.
DEFAULT_QUEUE: Final = "default"
#: Label of a FeatureExtraction: its WorkloadPriorityClass.
PRIORITY_LABEL: Final = f"{GROUP}/priority-class"
#: Labels of a FeatureExtraction that decisions read.
LABELS: Final = (QUEUE_LABEL, PRIORITY_LABEL)
#: Label of a Workload: uid of the object that it was created for.
JOB_UID_LABEL: Final = f"{GROUP}/job-uid"
#: Label of a pod: the pod set that it counts to.
POD_SET_LABEL: Final = f"{GROUP}/podset"

#: `spec.managedBy` of a run that another cluster executes. Its Workload is still created here.
MULTIKUEUE: Final = f"{GROUP}/multikueue"
#: `spec.managedBy` of this operator, and its meaning if it is unset.
OPERATOR: Final = "featx.dev/operator"

#: Evictions after which a Workload is queued again at once. All others Kueue queues again itself, or an administrator.
REQUEUED: Final = ("Preempted", "NodeFailures")


def workload_name(name: str, uid: str) -> str:
    """The name of the Workload of a resource."""
    return f"fx-{name}-{uid[:8]}"
