"""Every store on this machine keeps the contract that third parties' inherit; S3's is in tests/cluster."""

import pytest

from cellwright.stores import Store, open_store
from cellwright.testing import StoreContract

STORES = {"folder": ("{}/volume", None), "sqlite": ("sqlite://{}/store.db", "my_package.stores:SqliteStore")}


class TestStores(StoreContract):
    @pytest.fixture(params=STORES)
    def store(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
        uri, kind = STORES[request.param]
        return open_store(uri.format(tmp_path_factory.mktemp("store")), kind=kind)
