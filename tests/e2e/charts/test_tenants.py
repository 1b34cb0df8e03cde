"""Three teams by an entry each: they run, wait for their own quota, and see nothing of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.charts.release import BLUE, GREEN, MEMORY, RED, TEAMS, body, condition, kubectl, run_of
from tests.e2e.charts.users import User
from tests.e2e.polling import eventually

SECRET = ["create", "secret", "generic", "store", "--from-literal=AWS_ACCESS_KEY_ID=x"]
RUNS, PODS = "featureextractions.featx.dev", "pods"
KINDS = (RUNS, "featureextractionschedules.featx.dev", "visionmodels.featx.dev")


@pytest.mark.parametrize("team", TEAMS)
def test_a_member_applies_a_run_and_sees_it_succeed(team: str, editors: dict[str, User]) -> None:
    user, namespace = editors[team], f"--namespace={team}"
    user.kubectl("apply", "--filename=-", stdin=run_of(team, "hello", "progress 1/2,succeed 2"))
    user.kubectl("wait", "--for=condition=Succeeded", "fx/hello", namespace, "--timeout=120s")
    assert "Succeeded" in user.kubectl("get", "fx", "hello", namespace).stdout
    assert "succeed 2" in user.kubectl("logs", "hello-1-driver", namespace).stdout
    user.kubectl("delete", "fx", "hello", namespace)


def test_a_run_beyond_the_teams_quota_says_so_and_starts_nothing(editors: dict[str, User]) -> None:
    editors[RED].kubectl(
        "apply", "--filename=-", stdin=run_of(RED, "greedy", "succeed 1", execution={"driverMemory": "1Gi"})
    )
    eventually(lambda: condition(RED, "greedy", "QuotaReserved").get("status") == "False", "a refusal")
    message = condition(RED, "greedy", "QuotaReserved")["message"]
    assert "featx-tenant" in message  # the name of the quota
    assert MEMORY in message
    described = editors[RED].kubectl("describe", "fx", "greedy", f"--namespace={RED}").stdout
    assert message[:40] in described
    assert "greedy" not in editors[RED].kubectl("get", "pods", f"--namespace={RED}", "--output=name").stdout
    editors[RED].kubectl("delete", "fx", "greedy", f"--namespace={RED}")


def test_a_run_waits_for_its_teams_quota_while_other_teams_start(editors: dict[str, User]) -> None:
    half = {"driverMemory": "160Mi"}
    for name, script in (("first", "forever"), ("second", "succeed 1")):
        editors[RED].kubectl("apply", "--filename=-", stdin=run_of(RED, name, script, execution=half))
        if name == "first":
            eventually(lambda: condition(RED, "first", "DriverReady").get("status") == "True", "the first driver")
    eventually(lambda: condition(RED, "second", "QuotaReserved").get("status") == "False", "a wait")
    assert "driver" not in body(RED, "second")["status"]
    editors[BLUE].kubectl("apply", "--filename=-", stdin=run_of(BLUE, "meanwhile", "succeed 1", execution=half))
    editors[BLUE].kubectl("wait", "--for=condition=Succeeded", "fx/meanwhile", f"--namespace={BLUE}", "--timeout=120s")
    editors[RED].kubectl("delete", "fx", "first", f"--namespace={RED}")
    editors[RED].kubectl("wait", "--for=condition=Succeeded", "fx/second", f"--namespace={RED}", "--timeout=180s")
    editors[RED].kubectl("delete", "fx", "second", f"--namespace={RED}")


def test_a_run_into_the_store_of_another_team_is_refused(editors: dict[str, User]) -> None:
    run = run_of(GREEN, "thief", "succeed 1", output={"uri": f"s3://{RED}/table"})
    editors[GREEN].kubectl("apply", "--filename=-", stdin=run)
    accepted = eventually(lambda: condition(GREEN, "thief", "Accepted"), "a decision")
    assert (accepted["status"], accepted["reason"]) == ("False", "NotAllowed")
    assert accepted["message"].startswith(f"spec.output.uri: s3://{RED}/table is not one of the stores")
    editors[GREEN].kubectl("delete", "fx", "thief", f"--namespace={GREEN}")


def test_a_team_sees_and_changes_nothing_of_another(editors: dict[str, User]) -> None:
    kubectl("apply", "--filename=-", stdin=run_of(BLUE, "private", "forever"))
    user, there = editors[GREEN], f"--namespace={BLUE}"
    attempts = [
        ["get", "fx", "private", there],
        ["get", "fx", "--all-namespaces"],
        ["get", "pods", there],
        ["logs", "private-1-driver", there],
        ["get", "events", there],
        ["get", "resourcequota", there],
        ["delete", "fx", "private", there],
        ["patch", "fx", "private", there, "--type=merge", '--patch={"spec": {"suspend": true}}'],
        ["annotate", "namespace", BLUE, "a=b"],
        ["get", "namespaces"],
    ]
    for attempt in attempts:
        refused = user.kubectl(*attempt, check=False)
        assert refused.returncode != 0, attempt
        assert "Forbidden" in refused.stderr, refused.stderr
    refused = user.kubectl("apply", "--filename=-", stdin=run_of(BLUE, "intruder", "succeed 1"), check=False)
    assert "orbidden" in refused.stderr
    kubectl("delete", "fx", "private", there)


def test_an_editor_creates_runs_and_nothing_with_which_to_go_around_them(editors: dict[str, User]) -> None:
    user = editors[GREEN]
    assert all(user.can("create", kind, GREEN) for kind in KINDS)
    for verb, resource in [
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("get", "secrets"),
        ("create", "configmaps"),
        ("patch", "featureextractions.featx.dev/status"),
        ("create", "serviceaccounts/token"),
        ("update", "resourcequotas"),
        ("delete", "limitranges"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("delete", "networkpolicies.networking.k8s.io"),
        ("impersonate", "users"),
    ]:
        assert not user.can(verb, resource, GREEN), (verb, resource)


def test_a_viewer_only_looks(release: None, tmp_path: Path) -> None:
    user = User(tmp_path, f"{GREEN}-viewer")
    assert all(user.can("list", kind, GREEN) for kind in KINDS)
    assert user.can("get", "pods/log", GREEN)
    verbs = ("create", "update", "patch", "delete")
    assert not any(user.can(verb, kind, GREEN) for verb in verbs for kind in KINDS)
    assert not user.can("get", "secrets", GREEN)
    assert not user.can("list", RUNS, RED)


def test_an_admin_labels_secrets_and_adds_members_but_raises_nobody_above_itself(release: None, tmp_path: Path) -> None:
    user, here = User(tmp_path, f"{GREEN}-admin"), f"--namespace={GREEN}"
    user.kubectl(*SECRET, here)
    user.kubectl("label", "secret", "store", "featx.dev/store=true", here)
    bind = ["create", "rolebinding", here, "--user=new"]
    user.kubectl(*bind, "new", "--clusterrole=featx-edit")
    for role in ("cluster-admin", "edit", "admin"):
        refused = user.kubectl(*bind, f"too-much-{role}", f"--clusterrole={role}", check=False)
        assert "attempting to grant RBAC permissions not currently held" in refused.stderr
    for role in ("featx-job", "featx-operator"):
        refused = user.kubectl(*bind, f"too-much-{role}", f"--role={role}", check=False)
        assert "attempting to grant RBAC permissions not currently held" in refused.stderr
    assert not user.can("create", "pods", GREEN)
    assert not user.can("update", "resourcequotas", GREEN)
    user.kubectl("delete", "rolebinding", "new", here)
    user.kubectl("delete", "secret", "store", here)


def test_the_clusters_own_roles_include_runs(release: None) -> None:
    for role, verb in (("view", "list"), ("edit", "create"), ("admin", "delete")):
        rules = kubectl("get", "clusterrole", role, "--output=json").stdout
        assert '"featureextractions"' in rules, role
        assert f'"{verb}"' in rules


def test_a_teams_namespace_enforces_pod_security(release: None) -> None:
    refused = kubectl("run", "root", "--image=x", f"--namespace={RED}", "--dry-run=server", check=False)
    assert 'violates PodSecurity "restricted' in refused.stderr
