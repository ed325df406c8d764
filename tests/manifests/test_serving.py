"""The server's manifests fit the server, MLflow's, and each other; tests/cluster runs them."""

import yaml

from cellwright import __version__
from tests.manifests.objects import MANIFESTS, containers, from_files, of_kind
from tests.manifests.schema import _mistakes

SERVICE = MANIFESTS / "kserve" / "inference-service.yaml"


def test_kserves_predictor_is_the_deployments_pod():
    service = yaml.safe_load(SERVICE.read_text())
    predictor = service["spec"]["predictor"]
    [deployment] = of_kind(from_files(MANIFESTS / "serving"), "Deployment")
    template = deployment["spec"]["template"]
    pod = template["spec"]
    for field in ("securityContext", "serviceAccountName", "automountServiceAccountToken", "volumes"):
        assert predictor[field] == pod[field], field
    assert predictor["labels"].items() <= template["metadata"]["labels"].items()
    [own], [theirs] = predictor["containers"], containers(template)
    assert own["name"] == "kserve-container" and own["image"].endswith(f":{__version__}")
    for field in ("image", "args", "envFrom", "resources", "securityContext", "volumeMounts"):
        assert own[field] == theirs[field], field
    extra = {"minReplicas", "maxReplicas", "timeout", "labels"}
    spec = {name: value for name, value in predictor.items() if name not in extra}
    assert list(_mistakes(spec, "V1PodSpec", "predictor")) == []
    [scaler] = of_kind(from_files(MANIFESTS / "serving"), "HorizontalPodAutoscaler")
    assert scaler["spec"]["maxReplicas"] == predictor["maxReplicas"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_mlflow_lets_the_servers_in():
    policies = {
        each["metadata"]["name"]: each for each in of_kind(from_files(MANIFESTS / "serving"), "NetworkPolicy")
    }
    [server] = of_kind(from_files(MANIFESTS / "mlflow"), "Deployment")
    labels = server["spec"]["template"]["metadata"]["labels"].items()
    entry = policies["mlflow-for-serving"]
    assert entry["spec"]["podSelector"]["matchLabels"].items() <= labels
    out = policies["serving"]["spec"]["egress"][0]["to"][0]
    assert out["podSelector"] == entry["spec"]["podSelector"]
    assert (
        out["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        == entry["metadata"]["namespace"]
    )
    [source] = entry["spec"]["ingress"][0]["from"]
    assert source["podSelector"] == policies["serving"]["spec"]["podSelector"]
