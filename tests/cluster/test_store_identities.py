"""What the three identities of a store may do, by the policies of manifests/store, on a versitygw of its own.

The cluster's versitygw knows one account alone. This one takes the policies as those of the bucket, one principal for
each, and has no conditions: what the policies say of listing is for Amazon.
"""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cellwright.progress import Silent
from cellwright.results import FolderRecord
from cellwright.runners import search_location, step_location, trial_location
from cellwright.search.remote_trial import RemoteTrial
from cellwright.spaces import build_space
from cellwright.stores import S3Store, leased
from cellwright.stores.attempts import finished, pull
from tests.cluster.conftest import ROOT
from tests.search.test_remote_trial import ask, put_prepared, spec_of
from tests.servers import ADMINISTRATOR, S3Gateway

BUCKET, PREFIX = "models", "nas"
PREPARED, FINISHED = (
    f"{PREFIX}/{step_location('prepare-1')}/step.json",
    f"{PREFIX}/{step_location('retrain-1')}/step.json",
)
REQUEST, LEASE = f"{PREFIX}/{search_location('a')}/trial.json", f"{PREFIX}/leases/search-1"
RESULT, MODEL = f"{PREFIX}/{trial_location('a', '0-0')}/result.json", "mlflow/1/models/m/artifacts/MLmodel"
MAY_READ = {
    "trials": {PREPARED, REQUEST, RESULT},
    "steps": {PREPARED, FINISHED, REQUEST, LEASE, RESULT},
    "mlflow": {MODEL},
}
MAY_WRITE = {**MAY_READ, "trials": {RESULT}}


def statements(name: str) -> Iterator[dict[str, Any]]:
    text = (ROOT / "manifests" / "store" / f"{name}.json").read_text()
    for each in json.loads(text.replace("BUCKET", BUCKET).replace("PREFIX", PREFIX))["Statement"]:
        each.pop("Condition", None)
        yield {**each, "Sid": f"{name}{each['Sid']}", "Principal": {"AWS": [name]}}


def gateway_with_accounts(folder: Path) -> S3Gateway:
    """Return a gateway that knows the identities, each with its policy."""
    gateway = S3Gateway(folder, BUCKET)
    for name in MAY_READ:
        admin = [gateway.program, "admin", "--access", ADMINISTRATOR, "--secret", ADMINISTRATOR]
        user = ["create-user", "--access", name, "--secret", f"{name}-secret", "--role", "user"]
        subprocess.run([*admin, "--endpoint-url", gateway.url, *user], check=True, capture_output=True)
    policy = {"Version": "2012-10-17", "Statement": [s for name in MAY_READ for s in statements(name)]}
    gateway.client(ADMINISTRATOR).put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    return gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Gateway]:
    gateway = gateway_with_accounts(tmp_path_factory.mktemp("s3"))
    yield gateway
    gateway.kill()


def is_allowed(call: Any, **request: Any) -> bool:
    try:
        call(Bucket=BUCKET, **request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True


@pytest.mark.parametrize("name", MAY_READ)
def test_each_identity_reads_and_writes_its_own_part(gateway, name):
    every = set().union(*MAY_READ.values())
    administrator, client = gateway.client(ADMINISTRATOR), gateway.client(name)
    for key in every:
        administrator.put_object(Bucket=BUCKET, Key=key, Body=b"whole")
    assert {key for key in every if is_allowed(client.get_object, Key=key)} == MAY_READ[name]
    assert {key for key in every if is_allowed(client.put_object, Key=key, Body=b"other")} == MAY_WRITE[name]
    assert {key for key in every if is_allowed(client.delete_object, Key=key)} == MAY_WRITE[name]
    for key in every:
        administrator.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def as_identity(gateway, monkeypatch: pytest.MonkeyPatch):
    def become(name: str) -> S3Store:
        for variable, value in gateway.keys(name).items():
            monkeypatch.setenv(variable, value)
        return S3Store(f"s3://{BUCKET}/{PREFIX}", seconds=5)

    return become


def test_a_search_and_its_trial_need_no_more(as_identity, tmp_path: Path):
    store = as_identity("steps")
    with leased(store, "leases/prepare-1", "run", lambda text: None):
        put_prepared(store, tmp_path / "prepare-1")
    spec = spec_of()
    ask(store, trial_location("b", "4-0"), spec, tmp_path, build_space(spec.space).sample(random.Random(0)))
    trial = RemoteTrial(as_identity("trials"), "b", "4-0", tmp_path / "pod", parameters={})
    assert trial.run(Silent()).state == "done"
    store = as_identity("steps")
    record = finished(store, trial_location("b", "4-0"), FolderRecord)
    assert record is not None
    pull(store, trial_location("b", "4-0"), record, tmp_path / "back", wanted="result.json".__eq__)
    assert (tmp_path / "back" / "result.json").exists()
