"""Who may talk to whom, by each overlay's NetworkPolicies: what they are to Kubernetes, evaluated here."""

import ipaddress
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cellwright.pod_labels import SEARCH, STEP, TRIAL, is_reserved
from tests.manifests.objects import OVERLAYS, Object, key, name_of, of_kind

pytestmark = pytest.mark.parametrize("folder", OVERLAYS, ids=name_of, indirect=True)


class Pod(NamedTuple):
    namespace: str
    labels: dict[str, str]


MLFLOW = Pod("cellwright-system", {"app.kubernetes.io/name": "mlflow"})
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
CONTROLLER, DB_MANAGER = (
    Pod("kubeflow", {"katib.kubeflow.org/component": name}) for name in ("controller", "db-manager")
)
SUGGESTION = Pod("cellwright", {"katib.kubeflow.org/suggestion": "a"})
TRIAL_POD = Pod("cellwright", {SEARCH: "a", TRIAL: "0-0"})
STEP_POD = Pod("kubeflow", {STEP: "search"})
OTHER_POD = Pod("kubeflow", {"app": "other"})


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "Exists"
        if expression["key"] not in labels:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


class Network:
    def __init__(self, objects: list[Object]) -> None:
        self.policies = list(of_kind(objects, "NetworkPolicy"))

    def of(self, pod: Pod, direction: str) -> list[Object]:
        return [
            each
            for each in self.policies
            if each["metadata"]["namespace"] == pod.namespace
            and direction in each["spec"]["policyTypes"]
            and selects(each["spec"]["podSelector"], pod.labels)
        ]

    def rules(self, pod: Pod, direction: str) -> Iterator[tuple[dict[str, Any], set[int]]]:
        """Yield each peer that the pod may talk to, or hear, with the ports."""
        peers = {"Egress": "to", "Ingress": "from"}[direction]
        for policy in self.of(pod, direction):
            for rule in policy["spec"].get(direction.lower(), ()):
                for peer in rule[peers]:
                    yield peer, {each["port"] for each in rule["ports"]}

    def _allows(self, pod: Pod, direction: str, other: Pod, port: int) -> bool:
        if not self.of(pod, direction):
            return True
        for peer, ports in self.rules(pod, direction):
            if "ipBlock" in peer:
                continue
            own = {"kubernetes.io/metadata.name": other.namespace}
            is_there = (
                selects(peer["namespaceSelector"], own)
                if "namespaceSelector" in peer
                else pod.namespace == other.namespace
            )
            if is_there and selects(peer.get("podSelector", {}), other.labels) and port in ports:
                return True
        return False

    def reaches(self, source: Pod, target: Pod, port: int) -> bool:
        return self._allows(source, "Egress", target, port) and self._allows(target, "Ingress", source, port)

    def addresses(self, pod: Pod) -> list[tuple[Any, set[int]]]:
        return [
            (ipaddress.ip_network(peer["ipBlock"]["cidr"]), ports)
            for peer, ports in self.rules(pod, "Egress")
            if "ipBlock" in peer
        ]


@pytest.fixture
def network(objects: list[Object]) -> Network:
    return Network(objects)


def test_each_reaches_what_it_needs(network):
    for source, target, port in [
        (TRIAL_POD, DB_MANAGER, 6789),
        (CONTROLLER, SUGGESTION, 6789),
        (STEP_POD, MLFLOW, 5000),
        (STEP_POD, Pod("kubeflow", {"app": "ml-pipeline"}), 8888),
        *((source, DNS, 53) for source in (TRIAL_POD, STEP_POD, MLFLOW)),
    ]:
        assert network.reaches(source, target, port), (source, target)


def test_nobody_but_steps_reaches_mlflow(network):
    for source in (TRIAL_POD, SUGGESTION, OTHER_POD, CONTROLLER, Pod("default", {STEP: "search"})):
        assert not network.reaches(source, MLFLOW, 5000), source


def test_nobody_but_katibs_controller_reaches_the_suggestion_service(network):
    for source in (TRIAL_POD, OTHER_POD, STEP_POD, SUGGESTION):
        assert not network.reaches(source, SUGGESTION, 6789), source
    assert {port for _, ports in network.rules(SUGGESTION, "Egress") for port in ports} == {53}


def test_nobody_talks_to_trials_and_steps(network):
    for target in (TRIAL_POD, STEP_POD):
        assert network.of(target, "Ingress") and not list(network.rules(target, "Ingress"))


def test_no_label_that_a_spec_may_set_opens_anything(network):
    for policy in network.policies:
        selector = policy["spec"]["podSelector"]
        names = {*selector.get("matchLabels", ()), *(e["key"] for e in selector.get("matchExpressions", ()))}
        assert all(map(is_reserved, names)), key(policy)


def test_what_is_outside_is_a_range_of_the_overlay_and_no_metadata_server(network):
    for pod in (TRIAL_POD, STEP_POD, MLFLOW, SUGGESTION):
        for addresses, ports in network.addresses(pod):
            assert addresses.prefixlen >= 16, (pod, addresses)
            is_metadata = addresses.overlaps(ipaddress.ip_network("169.254.169.0/24"))
            assert not is_metadata or (pod is MLFLOW and ports <= {80, 987, 988}), (pod, addresses)


def test_names_are_asked_of_the_cluster_alone(network):
    for pod in (TRIAL_POD, STEP_POD, MLFLOW, SUGGESTION):
        for peer, ports in network.rules(pod, "Egress"):
            if 53 in ports and "ipBlock" in peer:
                assert peer["ipBlock"]["cidr"] == "169.254.20.10/32"  # the cache on each node
            elif 53 in ports:
                labels = peer["namespaceSelector"]["matchLabels"]
                assert labels == {"kubernetes.io/metadata.name": "kube-system"}


def test_every_rule_has_peers_and_ports(network):
    for policy in network.policies:
        for direction, peers in (("egress", "to"), ("ingress", "from")):
            for rule in policy["spec"].get(direction, ()):
                assert rule[peers] and rule["ports"], key(policy)
