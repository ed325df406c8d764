"""A quiet MLflow client for one URI; the tracker imports this late, because MLflow takes seconds.

No global of MLflow is set: neither its tracking URI (which would also change the environment) nor an active
run. The one variable written is the documented switch that keeps its telemetry from the network and from
leaving an installation id in the home folder; MLflow reads it while it is imported.
"""

import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.logging_utils import suppress_logs  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from cellwright.errors import CellwrightError  # noqa: E402
from cellwright.tracking._uri import sqlite_path, without_credentials  # noqa: E402

logging.getLogger("mlflow").setLevel(logging.WARNING)

PROBE_RETRIES = 3
"""MLflow itself retries for minutes; a URI that never answered is told after seconds."""


@contextmanager
def explained(uri: str, experiment: str) -> Iterator[None]:
    """Turn what MLflow raises into one line that names the URI and the experiment."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CellwrightError(
            without_credentials(f"MLflow at {uri}, experiment {experiment!r}: {reason}")
        ) from error


def connect(uri: str) -> MlflowClient:
    """Return a client for `uri`, whose store exists and answers."""
    if path := sqlite_path(uri):
        if not path.exists():
            _create_database(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
            database.execute("PRAGMA schema_version")
    elif urlsplit(uri).scheme in ("http", "https"):
        with suppress_logs("urllib3.connectionpool", re.compile("^Retrying")):
            http_request(get_default_host_creds(uri), "/health", "GET", max_retries=PROBE_RETRIES, timeout=10)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _create_database(path: Path) -> None:
    """Run MLflow's migrations beside `path` and link the result there.

    MLflow can't continue migrations that were killed, or that two processes ran at once: such a database is
    lost. If another process was faster, its database stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        engine = create_sqlalchemy_engine(f"sqlite:///{fresh}")
        _initialize_tables(engine)
        engine.dispose()
        with suppress(FileExistsError):
            os.link(fresh, path)
