"""A quiet MLflow client for one URI; imported late, because MLflow takes seconds.

No global of MLflow is set: neither its tracking URI (which would also change the environment) nor an active
run. The one variable written is the documented switch that keeps its telemetry from the network and from
leaving an installation id in the home folder; MLflow reads it while it is imported.
"""

import logging
import os
import re
import sqlite3
import tempfile
import warnings
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
from sqlalchemy.exc import SADeprecationWarning, SQLAlchemyError  # noqa: E402

from cellwright.errors import CellwrightError  # noqa: E402
from cellwright.tracking._uri import sqlite_path, without_credentials  # noqa: E402

logging.getLogger("mlflow").setLevel(logging.WARNING)

PROBE_RETRIES = 2
"""MLflow itself retries for minutes; that a server never answered is told after seconds."""


@contextmanager
def explained(uri: str, subject: str) -> Iterator[None]:
    """Turn what MLflow raises into one line that names the URI and what was asked of it."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CellwrightError(without_credentials(f"MLflow at {uri}, {subject}: {reason}")) from error


@contextmanager
def unless_exists() -> Iterator[None]:
    """Ignore that what the block makes was there already."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what MLflow's own use of its libraries makes them say."""
    with warnings.catch_warnings(), suppress_logs("urllib3.connectionpool", re.compile("^Retrying")):
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy", SADeprecationWarning)
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        yield


@quiet()
def connect(uri: str) -> MlflowClient:
    """Return a client for `uri`, whose store exists and answers."""
    if path := sqlite_path(uri):
        if not path.exists():
            _create_database(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
            database.execute("PRAGMA schema_version")
    elif urlsplit(uri).scheme in ("http", "https"):
        _probe(uri)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _probe(uri: str) -> None:
    server = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    try:
        http_request(  # type: ignore[no-untyped-call]
            server, "/health", "GET", max_retries=PROBE_RETRIES, backoff_factor=0.5, timeout=10
        )
    except MlflowException as error:
        cause: BaseException = error
        while cause.__context__:
            cause = cause.__context__
        raise ConnectionError(f"no server answers there ({cause})") from error


def experiment_id(client: MlflowClient, name: str, artifact_location: str | None) -> str:
    """Return the id of the experiment, made if it is new."""
    while (found := client.get_experiment_by_name(name)) is None:
        with unless_exists():
            client.create_experiment(name, artifact_location)
    identifier: str = found.experiment_id
    return identifier


def local_artifacts(uri: str) -> str | None:
    """Return the folder of artifacts that belongs to a SQLite database, None for a server."""
    path = sqlite_path(uri)
    return (path.parent / "artifacts").as_uri() if path else None


def _create_database(path: Path) -> None:
    """Run MLflow's migrations beside `path` and link the result there.

    MLflow can't continue migrations that were killed or that two processes ran at once: such a database is
    lost. If another process was faster, its database stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        engine = create_sqlalchemy_engine(f"sqlite:///{fresh}")  # type: ignore[no-untyped-call]
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
        engine.dispose()
        with suppress(FileExistsError):
            os.link(fresh, path)
