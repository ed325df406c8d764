"""The schema of MLflow's database: `migrate` brings it up to date, and `wait` returns once it is.

The database is $MLFLOW_BACKEND_STORE_URI, a PostgreSQL, so that no password is in a process's arguments.
"""

import os
import sys
import time

import sqlalchemy
from mlflow import db
from mlflow.store.db import utils

LOCK = 7305611524
"""PostgreSQL's advisory lock that whoever migrates holds: it goes when its connection does."""


def migrate(uri: str) -> None:
    """Create or upgrade the schema, one process at a time: MLflow cannot recover from two at once."""
    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({LOCK})"))
        db.upgrade.main([uri], standalone_mode=False)
    print(f"the schema is at {utils._get_schema_version(engine)}")


def wait(uri: str) -> None:
    """Return once the schema is what this version of MLflow needs."""
    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    needed, told = utils._get_latest_schema_revision(), False
    while (found := utils._get_schema_version(engine)) != needed:
        if not told:
            print(f"waits until the Job of migrations has brought the schema from {found} to {needed}")
        told = True
        time.sleep(1)


if __name__ == "__main__":
    {"migrate": migrate, "wait": wait}[sys.argv[1]](os.environ["MLFLOW_BACKEND_STORE_URI"])
