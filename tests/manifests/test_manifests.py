"""Every kustomization below manifests/, without a cluster; tests/cluster/test_manifests.py gives them to one."""

import re

import pytest

from cellwright import __version__
from cellwright.container_images import SUGGESTION
from cellwright.pod_labels import TRIAL
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.runners.kubernetes.registration import entry
from cellwright.spec import count_bytes, load_spec
from cellwright.spec.loading import load_profiles
from cellwright.spec.platform import count_cpus
from tests.manifests.objects import (
    MANIFESTS,
    OVERLAYS,
    ROOT,
    containers,
    created_by_hand,
    from_files,
    key,
    name_of,
    of_kind,
    pod_templates,
)
from tests.manifests.schema import problems
from tests.servers import APPS

TESTCLUSTER = MANIFESTS / "overlays" / "testcluster"
EXAMPLE = ROOT / "examples" / "digits-katib.yaml"
IMAGES = {path.name for path in (ROOT / "images").iterdir()}


def test_kubernetes_knows_every_field(objects):
    assert [problem for each in objects for problem in problems(each)] == []


def test_no_two_objects_are_the_same(objects):
    keys = [key(each) for each in objects]
    assert len(keys) == len(set(keys))


def test_all_but_what_has_none_name_their_namespace(objects):
    kinds = {each["kind"] for each in objects if "namespace" not in each["metadata"]}
    assert kinds <= {"Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def test_pods_are_restricted(objects):
    for owner, template in pod_templates(objects):
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"] and pod["runAsUser"] >= 1000, key(owner)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, key(owner)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & template["spec"].keys(), key(owner)
        assert all("hostPath" not in volume for volume in template["spec"]["volumes"]), key(owner)
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }, container["name"]
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), container["name"]
            assert "memory" in container["resources"]["limits"], container["name"]


def test_no_volume_fills_a_nodes_disk(objects):
    for owner, template in pod_templates(objects):
        for volume in template["spec"]["volumes"]:
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], key(owner)


def test_what_searches_take_together_is_bounded():
    objects = from_files(MANIFESTS / "base")
    [quota] = of_kind(objects, "ResourceQuota")
    amounts = ("cpu", "memory", "ephemeral-storage")
    bounded = {f"{what}.{name}" for what in ("requests", "limits") for name in amounts}
    bounded |= {f"count/{each}" for each in ("jobs.batch", "experiments.kubeflow.org", "trials.kubeflow.org")}
    assert bounded | {"pods", "count/secrets", "count/configmaps"} <= quota["spec"]["hard"].keys()
    [limits] = of_kind(objects, "LimitRange")
    [container] = limits["spec"]["limits"]
    for what in ("defaultRequest", "default", "max"):
        assert container[what].keys() == set(amounts)


AMOUNTS = {"cpu": count_cpus, "memory": count_bytes, "ephemeral-storage": count_bytes}


@pytest.mark.parametrize("profile", [None, *load_profiles()])
def test_a_search_fits_the_quota_with_any_profile(profile: str | None):
    """Its trials, its suggestion service, and the steps of a pipeline that runs in the same namespace."""
    objects = from_files(MANIFESTS / "base")
    ((quota,), (limits,)) = (list(of_kind(objects, kind)) for kind in ("ResourceQuota", "LimitRange"))
    hard, (container,) = quota["spec"]["hard"], limits["spec"]["limits"]
    override = [f"runner.resources={{profile: {profile}}}", f"resources={{profile: {profile}}}"]
    spec = load_spec(EXAMPLE, override if profile else ())
    trial = TrialPods.of(spec).job("0-0")["spec"]["template"]["spec"]["containers"][0]["resources"]
    step = {"limits": {"cpu": spec.resources.cpu, "memory": spec.resources.memory}}
    pods = [entry("cellwright-random", SUGGESTION)["resources"], step, *[trial] * spec.runner.parallel]
    sums: dict[str, float] = {}
    for pod in pods:
        bounds = container["default"] | pod["limits"]
        requested = container["defaultRequest"] | pod.get("requests", pod["limits"])
        for name, count in AMOUNTS.items():
            assert count(requested[name]) <= count(bounds[name]) <= count(container["max"][name])
            for what, amounts in (("requests", requested), ("limits", bounds)):
                sums[f"{what}.{name}"] = sums.get(f"{what}.{name}", 0) + count(amounts[name])
    for what, total in sums.items():
        assert total <= AMOUNTS[what.partition(".")[2]](hard[what]), what
    assert trial["limits"].keys() >= AMOUNTS.keys()
    gpus = spec.runner.parallel * int(trial["limits"].get("nvidia.com/gpu", 0))
    assert gpus <= int(hard["requests.nvidia.com/gpu"])


def test_only_who_talks_to_kubernetes_has_a_token_for_it(objects):
    bound = {
        subject["name"] for binding in of_kind(objects, "RoleBinding") for subject in binding["subjects"]
    }
    for owner, template in pod_templates(objects):
        has_token = template["spec"].get("automountServiceAccountToken", True)
        assert has_token == (template["spec"]["serviceAccountName"] in bound), key(owner)


def test_images_are_those_of_this_version(objects):
    for _, template in pod_templates(objects):
        for container in containers(template):
            found = re.fullmatch(r"ghcr\.io/cellwright/([a-z]+):(.*)", container["image"])
            assert found is not None and found[1] in IMAGES and found[2] == __version__
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_jobs_have_names_of_this_version(objects):
    for job in of_kind(objects, "Job"):
        assert job["metadata"]["name"].endswith("-" + __version__.replace(".", "-"))


def test_secrets_are_referred_to(objects, folder):
    assert folder == TESTCLUSTER or not list(of_kind(objects, "Secret"))
    for _, template in pod_templates(objects):
        for container in containers(template):
            for variable in container.get("env", ()):
                is_plain = "value" in variable
                assert not is_plain or not re.search("KEY|TOKEN|PASSWORD|URI", variable["name"])


def test_mlflow_runs_with_logins_and_trials_have_none():
    objects = from_files(TESTCLUSTER)
    (server,) = (each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == "mlflow")
    (container,) = server["spec"]["template"]["spec"]["containers"]
    command = container["command"]
    assert command[:2] == ["mlflow", "server"] and command[command.index("--app-name") + 1] == "logins"
    assert "logins = logins:create_app" in (APPS / "logins.dist-info" / "entry_points.txt").read_text()
    keys = {variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in container["env"]}
    for user in ("steps", "promotion", "viewer"):
        assert (keys[f"{user.upper()}_PASSWORD"]["name"], keys[f"{user.upper()}_PASSWORD"]["key"]) == (
            "mlflow-users",
            user,
        )
    where = {
        key(each)[1:] for each in of_kind(objects, "Secret") if each["metadata"]["name"].startswith("mlflow-")
    }
    assert where == {
        ("cellwright-system", "mlflow-database"),
        ("cellwright-system", "mlflow-users"),
        ("kubeflow", "mlflow-login"),
    }
    (listed,) = (each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == "trial-pods")
    assert "mlflow" not in listed["data"]["secrets"]


@pytest.mark.parametrize("folder", OVERLAYS, ids=name_of, indirect=True)
def test_an_overlay_says_which_logins_to_create(objects, folder):
    there = {key(each)[1:] for each in of_kind(objects, "Secret")} | created_by_hand(folder)
    assert {("cellwright-system", "mlflow-users"), ("kubeflow", load_spec(EXAMPLE).tracking.secret)} <= there


def test_roles_grant_nothing_wholesale(objects):
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], key(role)
            assert "secrets" not in rule["resources"] or rule["resourceNames"], key(role)
    assert not list(of_kind(objects, "ClusterRole", "ClusterRoleBinding"))


@pytest.mark.parametrize("folder", OVERLAYS, ids=name_of, indirect=True)
def test_what_an_overlay_names_is_there(objects, folder):
    there = {key(each) for each in objects} | {("ServiceAccount", "kubeflow", "pipeline-runner")}  # KFP's own
    there |= {("Secret", *each) for each in created_by_hand(folder)}
    named = set()
    for owner, template in pod_templates(objects):
        namespace, pod = owner["metadata"]["namespace"], template["spec"]
        named.add(("ServiceAccount", namespace, pod["serviceAccountName"]))
        for container in containers(template):
            for source in container.get("envFrom", ()):
                named |= {
                    (kind, namespace, source[f"{kind[0].lower()}{kind[1:]}Ref"]["name"])
                    for kind in ("ConfigMap", "Secret")
                    if f"{kind[0].lower()}{kind[1:]}Ref" in source
                }
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    named.add(("Secret", namespace, variable["valueFrom"]["secretKeyRef"]["name"]))
            volumes = {volume["name"] for volume in pod["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    for binding in of_kind(objects, "RoleBinding"):
        named.add(("Role", binding["metadata"]["namespace"], binding["roleRef"]["name"]))
        named |= {(s["kind"], s["namespace"], s["name"]) for s in binding["subjects"]}
    assert named - there == set()


def test_selectors_select(objects):
    labels = [template["metadata"]["labels"].items() for _, template in pod_templates(objects)]
    for service in of_kind(objects, "Service"):
        assert any(service["spec"]["selector"].items() <= each for each in labels)
    for policy in of_kind(objects, "NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        wanted = selector.get("matchLabels", {}).items()
        assert (
            not wanted
            or policy["metadata"]["name"] in ("workload-identity", "mlflow-for-serving")  # of pods elsewhere
            or any(wanted <= each for each in labels)
        ), key(policy)
    for owner in of_kind(objects, "Deployment"):
        wanted = owner["spec"]["selector"]["matchLabels"].items()
        assert wanted <= owner["spec"]["template"]["metadata"]["labels"].items()


def test_the_policy_of_trials_selects_the_label_that_they_have():
    policies = {key(each)[2]: each for each in of_kind(from_files(MANIFESTS / "base"), "NetworkPolicy")}
    assert policies["trials"]["spec"]["podSelector"]["matchExpressions"] == [
        {"key": TRIAL, "operator": "Exists"}
    ]
