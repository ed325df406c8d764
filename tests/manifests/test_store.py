"""Who may write which part of the bucket, by manifests/store and by the conditions of the overlay gke.

tests/cluster/test_store_identities.py tries the former. Conditions are evaluated here as Google documents them:
https://cloud.google.com/iam/docs/conditions-attribute-reference.
"""

import re
from dataclasses import dataclass

import pytest
import yaml

from tests.manifests.objects import MANIFESTS, OVERLAYS, PLACES, name_of, of_kind, store_rights

GKE = MANIFESTS / "overlays" / "gke"
OBJECTS = "projects/_/buckets/BUCKET/objects/"


RIGHTS = (
    ("trials", {"trial"}, {"trial", "request", "prepared"}),
    ("steps", PLACES.keys() - {"model"}, PLACES.keys() - {"model"}),
    ("mlflow", {"model"}, {"model"}),
)
"""Which parts each identity writes, and which it reads."""
each_identity = pytest.mark.parametrize(("name", "writes", "reads"), RIGHTS)


@each_identity
def test_each_identity_has_a_part_of_the_bucket(name, writes, reads):
    rights = store_rights(name)
    for action, parts in (("PutObject", writes), ("DeleteObject", writes), ("GetObject", reads)):
        assert {part for each, part in rights if each == f"s3:{action}"} == parts
    assert not any("*" in action for action, _ in rights)


@pytest.mark.parametrize("folder", OVERLAYS, ids=name_of, indirect=True)
def test_no_two_service_accounts_have_the_same_identity_in_a_cloud(objects):
    accounts = of_kind(objects, "ServiceAccount")
    values = [value for each in accounts for value in each["metadata"].get("annotations", {}).values()]
    assert len(values) == len(set(values))


class Text(str):
    """A string with the functions that conditions call."""

    def startsWith(self, prefix: str) -> bool:  # noqa: N802 - as the language spells it
        return self.startswith(prefix)

    def extract(self, template: str) -> str:
        before, after = re.split(r"\{\w+\}", template)
        found = re.search(f"{re.escape(before)}(.*?){re.escape(after)}", self)
        return found[1] if found else ""


@dataclass
class Request:
    """What a condition may ask about a request: of an object by its key, or of a listing by its prefix."""

    name: Text
    type: str
    listed: str

    def getAttribute(self, name: str, default: str) -> Text:  # noqa: N802
        assert name == "storage.googleapis.com/objectListPrefix"
        return Text(self.listed or default)


def is_granted(part: str, *, key: str = "", listed: str = "") -> bool:
    """Return whether a condition of the overlay gke allows a request."""
    expression = yaml.safe_load((GKE / "access" / f"{part}.yaml").read_text())["expression"]
    python = expression.replace("||", "or").replace("&&", "and").replace("\n", " ")
    kind = "Bucket" if listed else "Object"
    name = Text("projects/_/buckets/BUCKET" if listed else f"{OBJECTS}{key}")
    request = Request(name=name, type=f"storage.googleapis.com/{kind}", listed=listed)
    return bool(eval(python, {"__builtins__": {}, "resource": request, "api": request}))


@each_identity
def test_conditions_of_gke_allow_the_same(name, writes, reads):
    assert {part for part, key in PLACES.items() if is_granted(name, key=key)} == writes
    also = {part for part, key in PLACES.items() if name == "trials" and is_granted("trials-read", key=key)}
    assert writes | also == reads
    listed = {part for part, key in PLACES.items() if is_granted(name, listed=key.rpartition("/")[0] + "/")}
    assert listed == reads
    assert not is_granted(name, listed="another/") and not is_granted(name, key="another/x")


def test_a_trials_key_within_another_part_is_not_its_own():
    assert not is_granted("trials", key=f"mlflow/{OBJECTS}{PLACES['trial']}")


def test_every_condition_of_gke_is_applied_by_its_instructions():
    (parts,) = re.findall(r"for part in (.*); do", (GKE / "kustomization.yaml").read_text())
    assert sorted(parts.split()) == sorted(path.stem for path in (GKE / "access").iterdir())
