"""The tracker that steps are given."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry
from cellwright.tracking.record import (
    EXTRA_FILES,
    LoggedColumns,
    RegisteredModel,
    RunRecord,
    Status,
    require_key,
)
from cellwright.tracking.retrying import SHORT, mlflow_retry

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from cellwright.tracking.runs import LoggedRun

T = TypeVar("T")


def model_version(uri: str, address: str) -> str:
    """Return `NAME/VERSION` of the registered model that `models:/NAME@ALIAS` or `models:/NAME/VERSION` names now.

    Raises:
        CellwrightError: there is none, or no registry; names the address.
    """
    from cellwright.tracking import connection, registry

    def find() -> str:
        with connection.translate_errors(uri, address):
            version = registry.find_version(connection.connect(uri), address)
        return f"{version.name}/{version.version}"

    return mlflow_retry(seconds=SHORT)(find)


def download_model_file(uri: str, address: str, name: str, folder: Path) -> Path:
    """Return the local copy, in the folder, of a file that was registered among the model's `extra_files`.

    Raises:
        CellwrightError: there is no such model or file, or no registry; names the address.
    """
    from cellwright.tracking import connection, registry

    def fetch() -> Path:
        with connection.translate_errors(uri, address):
            client = connection.connect(uri)
            version = registry.find_version(client, address)
            return registry.download(client, uri, version, f"{EXTRA_FILES}/{name}", folder)

    return mlflow_retry(seconds=SHORT)(fetch)


def download_run_files(uri: str, address: str, names: Sequence[str], folder: Path) -> str:
    """Copy files of the run that a registered version is from, and return `NAME/VERSION`.

    Raises:
        CellwrightError: there is no such model, run or file, or no registry; names the address.
    """
    from cellwright.tracking import connection, registry

    def fetch() -> str:
        with connection.translate_errors(uri, address), connection.quiet():
            client = connection.connect(uri)
            version = registry.find_version(client, address)
            if version.run_id is None:
                raise CellwrightError(f"{address} must be of a run, as register makes it, and is of none")
            for name in names:
                client.download_artifacts(version.run_id, name, str(folder))
        return f"{version.name}/{version.version}"

    return mlflow_retry(seconds=SHORT)(fetch)


def recorded_tags(uri: str, address: str) -> Mapping[str, str]:
    """Return the tags of a registered model's version.

    Raises:
        CellwrightError: there is no such model, or no registry; names the address.
    """
    from cellwright.tracking import connection, registry

    def fetch() -> Mapping[str, str]:
        with connection.translate_errors(uri, address):
            return dict(registry.find_version(connection.connect(uri), address).tags)

    return mlflow_retry(seconds=SHORT)(fetch)


def verify_model(uri: str, address: str) -> tuple[int, tuple[str, ...]]:
    """Compare the files of a registered model with the digests that its version is tagged with.

    Returns:
        How many files there are, and a sentence for each that is not what it was.

    Raises:
        CellwrightError: there is no such model, no digest of it, or no registry; names the address.
    """
    from cellwright.tracking import connection, registry

    def verify() -> tuple[int, tuple[str, ...]]:
        with connection.translate_errors(uri, address):
            client = connection.connect(uri)
            return registry.verify(client, uri, registry.find_version(client, address))

    return mlflow_retry(seconds=SHORT)(verify)


class MlflowTracker:
    """Writes to one MLflow experiment, which is made on first use.

    Every call can be repeated, also after a kill at any point: what is there already is found by its key and
    completed. What MLflow refuses becomes a `CellwrightError`, and an MLflow that does not answer `MlflowUnavailable`.
    """

    def __init__(
        self,
        *,
        uri: str,
        experiment: str,
        run_id: str | None = None,
        artifact_location: str | None = None,
        retry: Retry | None = None,
    ):
        """Connect, and make what is missing.

        Args:
            uri: `sqlite:///path/mlflow.db` on one machine, else the http(s) address of an MLflow server.
            experiment: Name of the MLflow experiment.
            run_id: A run to log into, or the one that it is nested in, instead of one of this package's own. Who
                made it sets its status; its experiment counts, not `experiment`.
            artifact_location: Where a new experiment keeps its files. By default the folder `artifacts`
                beside a SQLite database, or what the server decides.
            retry: How long to wait for an MLflow that is away; by default, not at all.
        """
        from cellwright.tracking import connection

        self._uri = uri
        self._experiment = experiment
        self._run_id = run_id
        self._retry = retry or mlflow_retry()
        self._logged: dict[str, LoggedRun] = {}
        self._client = self._ask(lambda: connection.connect(uri))
        self._experiment_id = ""
        if run_id is None:
            location = artifact_location or connection.local_artifacts(uri)
            self._experiment_id = self._ask(
                lambda: connection.experiment_id(self._client, experiment, location)
            )

    def log_run(self, record: RunRecord, *, status: Status) -> str:
        """Write everything in `record`, then the status, and return the MLflow run's id.

        When the record grows between calls, what is new is added. A step of a curve keeps its first value; a
        metric whose value changed is logged again; params can't change, and neither can trials.
        """
        return self._ask(lambda: self._complete(record, status))

    def _complete(self, record: RunRecord, status: Status) -> str:
        from cellwright.tracking import runs

        logged = self._logged.pop(record.key, None)  # put back when all went well
        if logged is None:
            run = (
                runs.find_or_create(self._client, self._experiment_id, record)
                if self._run_id is None
                else runs.find_outermost(self._client, self._run_id)
            )
            self._experiment_id = run.info.experiment_id
            logged = runs.LoggedRun(self._client, run, owned=self._run_id is None)
        run_id = logged.complete(record, status)
        self._logged[record.key] = logged
        return run_id

    def _ask(self, work: Callable[[], T]) -> T:
        """Return what the work does, repeated while MLflow is away, with MLflow's errors translated."""
        from cellwright.tracking import connection

        def translate_errors() -> T:
            with connection.translate_errors(self._uri, f"experiment {self._experiment!r}"):
                return work()

        return self._retry(translate_errors)

    def end_runs(self, tag: str, value: str, status: Status) -> int:
        """Give the status to the experiment's runs that have the tag and are still running; return their number."""

        def end() -> int:
            query = f"tags.`{tag}` = '{value}' and attributes.status = 'RUNNING'"
            runs = self._client.search_runs([self._experiment_id], query)
            for run in runs:
                self._client.set_terminated(run.info.run_id, status)
            return len(runs)

        return self._ask(end)

    def register_model(
        self,
        *,
        mlflow_run_id: str,
        name: str,
        model: "torch.nn.Module",
        inputs: "Mapping[str, npt.NDArray[Any]]",
        metadata: Mapping[str, Any],
        tags: Mapping[str, str],
        extra_files: Mapping[str, Path],
        key: str,
        columns: LoggedColumns | None = None,
        description: str | None = None,
        has_gate: bool = False,
    ) -> RegisteredModel:
        """Log the model with its run and make it a version in the registry.

        The first version becomes `champion` where the login may make it that, others `challenger`. Whoever loads
        one needs torch and MLflow, not this package; predictions run on the CPU, for any batch size. They are
        compared with those of `model` before the version exists. On a SQLite database one registration of a name
        goes on at a time; whoever shares a server sees to that.

        Args:
            mlflow_run_id: What `log_run` returned; its final metrics are shown with the model.
            name: Name of the registered model.
            model: On any device; it is left as it is.
            inputs: A batch by the names of the model's inputs, in its order: at least 2 examples, since from
                fewer torch would fix the batch size at 1. The model takes no other types. With several inputs,
                `predict` of the version takes a mapping of these names to arrays.
            metadata: JSON that the model says about itself, in its `MLmodel`.
            tags: Tags of the version.
            extra_files: File name to the local file that is kept under it in the model's `extra_files`.
            key: The `RunRecord.key`; a second call with it returns the version of the first.
            columns: What is saved in place of `model` where people have columns, and not one array.
            description: Of the version, as Markdown.
            has_gate: Whether a gate decides on the champion; then the first version is a challenger, too.
        """
        from cellwright.tracking import connection, models

        require_key(key)
        for input_name, array in inputs.items():
            if len(array) < 2:
                raise ValueError(f"inputs must have at least 2 examples, got {len(array)} of {input_name}")

        def complete() -> RegisteredModel:
            with connection.registering(self._uri, name):
                return register()

        def register() -> RegisteredModel:
            version = models.find_version(self._client, name, key)
            if version is None:
                model_id = models.log_model(
                    self._client, mlflow_run_id, key, model, inputs, metadata, extra_files, columns
                )
                version = models.create_version(self._client, model_id, name, key, tags, description)
            models.show_version(self._client, self._experiment_id, key, version)
            number = int(version.version)
            alias = models.assign_alias(self._client, name, number, has_gate=has_gate)
            has_champion = models.has_champion(self._client, name)
            return RegisteredModel(name=name, version=number, alias=alias, has_champion=has_champion)

        return self._ask(complete)
