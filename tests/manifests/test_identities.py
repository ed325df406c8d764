"""Who can become whom, by what each overlay grants: a graph of service accounts, on which nobody gains anything.

KFP's and Katib's own grants are not in it: what they let a pipeline do in their namespace, docs/cluster.md says.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cellwright.container_images import CELLWRIGHT, SUGGESTION
from cellwright.spec import load_spec
from tests.manifests.objects import (
    OVERLAYS,
    ROOT,
    Object,
    containers,
    created_by_hand,
    name_of,
    of_kind,
    pod_templates,
    store_rights,
)

pytestmark = pytest.mark.parametrize("folder", OVERLAYS, ids=name_of, indirect=True)

TRIALS = "cellwright"
CLOUD = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account")
"""Annotations of service accounts that give them a cloud's identity."""
WRITES = {"create", "update", "patch", "*"}
MAKES_PODS = {
    *("pods", "pods/exec", "pods/attach", "pods/ephemeralcontainers", "replicationcontrollers"),
    *("daemonsets", "deployments", "replicasets", "statefulsets", "cronjobs", "jobs"),
    *("experiments", "trials", "suggestions", "workflows", "scheduledworkflows"),
    *("serviceaccounts/token", "roles", "rolebindings"),
    "*",
}
"""Who writes one of these is every service account of the namespace, and reads every Secret in it."""


class Account(NamedTuple):
    namespace: str
    name: str


THEIRS = {
    Account("kubeflow", "katib-controller"): {("every Secret, and Jobs everywhere",)},
    Account("kubeflow", "pipeline-runner"): {("all that KFP does in kubeflow",)},
}
"""The accounts that KFP and Katib bring, with rights that none of ours may have."""
Right = tuple[Any, ...]


class Identities:
    """The service accounts of an overlay, and what each may do."""

    def __init__(self, objects: list[Object]) -> None:
        self.rights: dict[Account, set[Right]] = {account: set(rights) for account, rights in THEIRS.items()}
        for each in of_kind(objects, "Namespace"):
            self.rights[Account(each["metadata"]["name"], "default")] = set()
        for each in of_kind(objects, "ServiceAccount"):
            meta = each["metadata"]
            clouds = [right for right in meta.get("annotations", {}).items() if right[0] in CLOUD]
            self.rights[Account(meta["namespace"], meta["name"])] = set().union(*map(_in_cloud, clouds))
        self.secrets = _secrets(objects)
        roles = {
            (each["metadata"]["namespace"], each["metadata"]["name"]): each["rules"]
            for each in of_kind(objects, "Role")
        }
        self.binds = set()
        for binding in of_kind(objects, "RoleBinding"):
            namespace = binding["metadata"]["namespace"]
            granted = set(_granted(namespace, roles[namespace, binding["roleRef"]["name"]]))
            for subject in binding["subjects"]:
                account = Account(subject["namespace"], subject["name"])
                self.binds.add(account)
                self.rights[account] |= granted

    def taken_over(self, account: Account) -> set[str]:
        """Return the namespaces all of whose service accounts and Secrets the account has."""
        return {
            right[0]
            for right in self.rights[account]
            if len(right) == 5 and right[2] in MAKES_PODS and right[4] in WRITES
        }

    def becomes(self, account: Account) -> set[Account]:
        """Return whom the account can become, over however many steps."""
        reached, new = {account}, {account}
        while new:
            namespaces = {namespace for each in new for namespace in self.taken_over(each)}
            new = {each for each in self.rights if each.namespace in namespaces} - reached
            reached |= new
        return reached - {account}


def _in_cloud(annotation: tuple[str, str]) -> set[Right]:
    """Return what a role that has one of our policies may do with the bucket; another identity, as it is."""
    _, _, role = annotation[1].partition(":role/cellwright-")
    return set(store_rights(role)) if role else {annotation}


def _granted(namespace: str, rules: list[Object]) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [None]):
                    for verb in rule["verbs"]:
                        yield namespace, group, resource, name, verb


def _secrets(objects: list[Object]) -> set[tuple[str, str]]:
    """Return the Secrets that the objects are or read, by namespace and name."""
    found = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in of_kind(objects, "Secret")}
    for owner, template in pod_templates(objects):
        for container in containers(template):
            sources = [variable.get("valueFrom", {}) for variable in container.get("env", ())]
            for source in [*sources, *container.get("envFrom", ())]:
                for reference in ("secretKeyRef", "secretRef"):
                    if reference in source:
                        found.add((owner["metadata"]["namespace"], source[reference]["name"]))
    return found


@pytest.fixture
def identities(objects: list[Object]) -> Identities:
    return Identities(objects)


def limits_of_trial_pods(objects: list[Object]) -> dict[str, set[str]]:
    (found,) = (each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == "trial-pods")
    return {name: set(text.split(" ")) for name, text in found["data"].items()}


def test_nobody_becomes_anyone_with_more_rights(identities):
    gains = {
        (account, other): more
        for account in identities.rights
        for other in identities.becomes(account)
        if (more := identities.rights[other] - identities.rights[account])
    }
    assert gains == {}


def test_a_search_can_run_as_a_trial_and_as_nobody_else(identities):
    """So that the closure above is empty because of what is granted, and not because nothing is."""
    searching = Account("kubeflow", "cellwright-pipeline")
    assert identities.becomes(searching) == {Account(TRIALS, "default"), Account(TRIALS, "cellwright-trial")}


def test_pods_are_made_among_trials_alone(identities):
    assert {where for account in identities.rights for where in identities.taken_over(account)} == {TRIALS}


def test_where_pods_are_made_there_are_only_secrets_for_trials(identities, objects, folder):
    there = identities.secrets | created_by_hand(folder)
    assert {name for namespace, name in there if namespace == TRIALS} <= limits_of_trial_pods(objects)[
        "secrets"
    ]


def test_the_accounts_of_trials_are_listed_and_are_all_that_there_are(identities, objects):
    accounts = {account for account in identities.rights if account.namespace == TRIALS}
    assert {account.name for account in accounts} == limits_of_trial_pods(objects)["serviceAccounts"]
    assert not accounts & identities.binds


def test_kfps_own_identity_searches_only_where_an_overlay_has_schedules(identities, folder):
    has_schedules = "../../schedules" in (folder / "kustomization.yaml").read_text()
    assert (Account("kubeflow", "pipeline-runner") in identities.binds) == has_schedules


def test_what_the_example_names_is_listed(objects):
    spec = load_spec(ROOT / "examples" / "digits-katib.yaml")
    listed = limits_of_trial_pods(objects)
    assert spec.runner.resources.service_account in listed["serviceAccounts"]
    assert spec.store.secret in listed["secrets"]
    for image in (CELLWRIGHT, SUGGESTION):
        assert any(image.startswith(f"{registry}/") for registry in listed["registries"])
