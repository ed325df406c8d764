"""Requests to the API server of Kubernetes."""

import json

import kubernetes
import pytest

from cellwright.errors import CellwrightError, RefusedError
from cellwright.runners.kubernetes.api import Cluster
from tests.answering import Answer, answering


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, 'experiments.kubeflow.org is forbidden: User "a" cannot create resource', RefusedError),
        (403, 'jobs.batch "a" is forbidden: exceeded quota: trials, requested: cpu=4', CellwrightError),
        (422, "Experiment is invalid: spec.objective", CellwrightError),
    ],
)
def test_what_is_forbidden_is_told_from_what_may_pass(tmp_path, monkeypatch, status, message, kind):
    monkeypatch.setattr(kubernetes.config, "load_config", lambda: None)
    monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)
    body = json.dumps({"kind": "Status", "message": message}).encode()
    with answering(lambda *_: Answer(body, "application/json", status)) as host:
        configuration = kubernetes.client.Configuration(host=host)
        kubernetes.client.Configuration.set_default(configuration)
        cluster = Cluster("trials", lambda text: None, seconds=0.0)
        with pytest.raises(CellwrightError, match=f"create_namespaced_job: {message[:20]}") as caught:
            cluster.ask(cluster.batch.create_namespaced_job, "trials", {"kind": "Job"})
    assert type(caught.value) is kind


def test_whether_a_secret_is_there_is_found_out_without_reading_it(monkeypatch):
    monkeypatch.setattr(kubernetes.config, "load_config", lambda: None)
    monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)
    accepted = []
    with answering(lambda _, path: Answer(b"{}", status=200 if path.endswith("/known") else 404)) as host:
        configuration = kubernetes.client.Configuration(host=host)
        kubernetes.client.Configuration.set_default(configuration)
        cluster = Cluster("trials", lambda text: None, seconds=0.0)
        requests = cluster.core.api_client.rest_client
        ask = requests.request

        def recorded(*words, **how):
            accepted.append(how["headers"]["Accept"])
            return ask(*words, **how)

        monkeypatch.setattr(requests, "request", recorded)
        assert [cluster.has_secret("known"), cluster.has_secret("other")] == [True, False]
    assert accepted == ["application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"] * 2
