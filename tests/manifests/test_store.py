"""Who may write which part of the bucket, by manifests/store; tests/cluster/test_store_identities.py tries it."""

import pytest

from tests.manifests.objects import OVERLAYS, PLACES, name_of, of_kind, store_rights


@pytest.mark.parametrize(
    ("name", "writes", "reads"),
    [
        ("trials", {"trial"}, {"trial", "request", "prepared"}),
        ("steps", PLACES.keys() - {"model"}, PLACES.keys() - {"model"}),
        ("mlflow", {"model"}, {"model"}),
    ],
)
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
