"""What is left after an uninstall: the teams' namespaces with their runs and claims, the CRDs, and nothing else."""

from __future__ import annotations

from tests.e2e.charts.release import BLUE, NAMESPACE, RED, ROOT, TEAMS, VALUES, body, helm, install, kubectl, run_of
from tests.e2e.polling import eventually

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "images", "namespace": RED},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}


def test_a_team_that_is_taken_off_the_list_keeps_its_namespace(release: None) -> None:
    kubectl("apply", "--filename=-", stdin=CLAIM)
    others = {team: entry for team, entry in VALUES["tenants"].items() if team != RED}
    install(VALUES | {"tenants": others}, wait=False)
    assert kubectl("get", "pvc", "images", f"--namespace={RED}", "--output=name").stdout
    roles = kubectl("get", "roles,rolebindings,resourcequotas", f"--namespace={RED}", "--output=name").stdout
    assert "featx" not in roles
    install(VALUES, wait=False)  # the list is right again: the namespace is adopted
    assert "featx-operator" in kubectl("get", "roles", f"--namespace={RED}", "--output=name").stdout


def test_an_uninstall_leaves_data_and_the_crds(release: None) -> None:
    kubectl("apply", "--filename=-", stdin=run_of(BLUE, "kept", "succeed 3"))
    kubectl("wait", "--for=condition=Succeeded", "fx/kept", f"--namespace={BLUE}", "--timeout=120s")
    installed = helm("get", "manifest", "featx").stdout + "---\n" + helm("get", "manifest", "featx-crds").stdout
    helm("uninstall", "featx", "--wait", "--timeout=3m")
    helm("uninstall", "featx-crds", "--wait", "--timeout=3m")
    left = kubectl("get", "--filename=-", "--ignore-not-found", "--output=name", stdin=installed).stdout.split()
    crds = {f"customresourcedefinition.apiextensions.k8s.io/{path.stem}" for path in (ROOT / "crds").glob("*.yaml")}
    assert set(left) == crds | {f"namespace/{team}" for team in TEAMS}
    assert body(BLUE, "kept")["status"]["outputs"][0]["recordCount"] == 3
    pods = ("get", "pods", f"--namespace={NAMESPACE}", "--output=name")
    eventually(lambda: kubectl(*pods).stdout == "", "no pods of the operator")
