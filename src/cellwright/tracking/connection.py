"""A quiet MLflow client for one URI; imported late, because MLflow takes seconds.

No global of MLflow is set: neither its tracking URI (which would also change the environment) nor an active
run. The variables written are documented switches. One keeps its telemetry from the network and from leaving an
installation id in the home folder; MLflow reads it while it is imported. One keeps it from printing links. And one
leaves waiting to `mlflow_retry`, whose work looks first what has arrived: a request that is repeated as it was may make
a second run.
"""

import fcntl
import logging
import os
import re
import socket
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
for _proxied in (
    "DOWNLOAD",
    "UPLOAD",
):  # through the server: only that knows its store's keys, and perhaps its address
    os.environ.setdefault(f"MLFLOW_ENABLE_PROXY_MULTIPART_{_proxied}", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

import requests  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import LifecycleStage, Run  # noqa: E402
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException, RestException  # noqa: E402
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.logging_utils import suppress_logs  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402
from sqlalchemy.exc import OperationalError, SADeprecationWarning, SQLAlchemyError  # noqa: E402

from cellwright.canonical import digest  # noqa: E402
from cellwright.credentials import without_credentials  # noqa: E402
from cellwright.errors import CellwrightError  # noqa: E402
from cellwright.folders import make_ours  # noqa: E402
from cellwright.retrying import is_transient_status  # noqa: E402
from cellwright.tracking.retrying import MlflowUnavailable, NotAllowed  # noqa: E402
from cellwright.tracking.uri import artifacts_beside, check_database, follow_move, is_server, sqlite_path  # noqa: E402

MLFLOW_EXPERIMENT_NOTE = "mlflow.note.content"
ABOUT_EXPERIMENT = (
    "Each run is a pipeline run of [cellwright](https://pypi.org/project/cellwright/), with the trials of its search "
    "nested in it. Among a run's artifacts, `report.html` has all of it, and `leaderboard.json` its scores."
)

logging.getLogger("mlflow").setLevel(logging.WARNING)


@contextmanager
def translate_errors(uri: str, subject: str) -> Iterator[None]:
    """Turn what MLflow raises into one line that names the URI and what was asked of it."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        is_denied = isinstance(error, MlflowException) and error.error_code == "PERMISSION_DENIED"
        away = any(map(_is_transient, _causes(error)))
        kind = NotAllowed if is_denied else MlflowUnavailable if away else CellwrightError
        raise kind(without_credentials(f"MLflow at {uri}, {subject}: {reason}")) from error


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and what led to it, unless that is an error in the address or a certificate."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    for cause in causes:
        unknown_host = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
        if unknown_host or isinstance(cause, requests.exceptions.SSLError | requests.exceptions.InvalidURL):
            return []
    return causes


def _is_transient(error: BaseException) -> bool:
    match error:
        case requests.HTTPError(response=requests.Response(status_code=status)):
            return is_transient_status(status)
        case requests.ConnectionError() | requests.Timeout() | requests.exceptions.ChunkedEncodingError():
            return True
        case requests.exceptions.RetryError():  # of a status that MLflow would retry itself
            return True
        case MlflowException() if "failed with error code" in error.message or isinstance(
            error, RestException
        ):
            return is_transient_status(ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 0))
        case OperationalError():
            return "database is locked" in str(error) or not isinstance(error.orig, sqlite3.Error)
    return False


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


@contextmanager
def registering(uri: str, name: str) -> Iterator[None]:
    """Have no other process register a model of that name in a SQLite database; a server is not locked.

    Raises:
        MlflowUnavailable: another process is at it.
    """
    if (path := sqlite_path(uri)) is None:
        yield
        return
    lock = path.with_name(f".{path.name}.{digest(name)}.lock")
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MlflowUnavailable(f"MLflow at {uri}: another process is registering {name}") from error
        yield


@quiet()
def connect(uri: str) -> MlflowClient:
    """Return a client for `uri`, whose store exists and answers."""
    if path := sqlite_path(uri):
        if not path.exists():
            _create_database(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
            database.execute("PRAGMA schema_version")
        check_database(uri)
        follow_move(uri)
    elif is_server(uri):
        _probe(uri)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _probe(uri: str) -> None:
    server = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    try:
        http_request(server, "/health", "GET", timeout=10)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        cause: BaseException = error
        while cause.__context__:
            cause = cause.__context__
        raise ConnectionError(f"no server answers there ({cause})") from error


def experiment_id(client: MlflowClient, name: str, artifact_location: str | None) -> str:
    """Return the id of the experiment, made if it is new.

    Raises:
        CellwrightError: it was deleted, which MLflow keeps as its state.
    """
    while (found := client.get_experiment_by_name(name)) is None:
        with unless_exists():
            client.create_experiment(name, artifact_location, tags={MLFLOW_EXPERIMENT_NOTE: ABOUT_EXPERIMENT})
    if found.lifecycle_stage != LifecycleStage.ACTIVE:
        raise CellwrightError(
            f"tracking.experiment: {name!r} was deleted in MLflow: `mlflow experiments restore -x "
            f"{found.experiment_id}` brings it back, or choose another name"
        )
    identifier: str = found.experiment_id
    return identifier


def local_artifacts(uri: str) -> str | None:
    """Return where a SQLite database keeps its artifacts, in a folder that is made if need be; None for a server.

    Raises:
        CellwrightError: the folder is there, and is not ours.
    """
    if (folder := artifacts_beside(uri)) is None:
        return None
    make_ours(folder, "artifacts")
    return folder.as_uri()


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


def all_runs(client: MlflowClient, experiment_id: str, query: str) -> Iterator[Run]:
    """Yield the runs of an experiment that a filter finds, page by page."""
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], query, page_token=token)
        yield from page
        if not (token := page.token):
            return
