"""A client of Kubeflow Pipelines, which submits, follows, stops and schedules pipelines."""

import contextlib
import io
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import urllib3

from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.retrying import Retry, is_transient_status
from cellwright.runners.kubernetes.api import COMMAND_SECONDS, Cluster, load_kubeconfig
from cellwright.spec import SearchSpec
from cellwright_pipelines.checking import check_before, secret_problems
from cellwright_pipelines.cron import Timetable
from cellwright_pipelines.pipeline import compile_pipeline
from cellwright_pipelines.records import PipelineRun, Schedule, last_attempt, read_run, read_schedule

SECONDS = 120.0
"""How long to retry a request, once Kubeflow has responded."""
FIRST_SECONDS = 5.0
HEALTH = "/apis/v2beta1/healthz"


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Address and credentials of Kubeflow Pipelines."""

    host: str | None = None
    """Address of its API; by default, that of the kubeconfig's cluster or of this pod's own."""
    namespace: str | None = None
    """The user's namespace, if Kubeflow has several users."""
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """CA certificates for verifying the host; those of certifi by default."""


class _Client(kfp.Client):  # type: ignore[misc]
    """kfp's client, with a health check that does not retry and recognises other services."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """Return the health of the API, without retries."""
        return self._healthz_api.healthz_service_get_healthz()

    def check(self) -> None:
        """Check that Kubeflow Pipelines responds, not a login page or another service.

        Raises:
            CellwrightError: the message has the response.
        """
        response = self._healthz_api.api_client.call_api(
            HEALTH, "GET", auth_settings=["Bearer"], _preload_content=False
        )
        try:
            health = json.loads(response.data)
        except ValueError:
            health = None
        if not isinstance(health, dict) or not health.keys() & {"multi_user", "multiUser"}:
            kind = response.headers.get("content-type", "something without a type")
            raise CellwrightError(
                f"the address must be that of the API of Kubeflow Pipelines, but what answers at {HEALTH} is {kind}: "
                "another service, or a page to log in, which --token-file passes"
            )


class Kubeflow:
    """A client of one Kubeflow Pipelines.

    Args:
        connection: its address.
        log: receives a message when a request is retried.

    Raises:
        CellwrightError: it is unreachable, or refuses access.
    """

    def __init__(self, connection: Connection, log: Callable[[str], None]) -> None:
        self.namespace = connection.namespace
        self.log = log
        self.host = connection.host or load_kubeconfig()
        self._retry_briefly = Retry(
            _is_transient, seconds=FIRST_SECONDS, report=self._say_why, report_after=3
        )
        self._retry = self._retry_briefly
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.client = self._ask(
                "health",
                _Client,
                host=connection.host,
                existing_token=connection.token,
                ssl_ca_cert=connection.ca_file,
            )
        self.host = self.client._existing_config.host or ""
        self._ask("health", self.client.check)
        self._retry = Retry(_is_transient, seconds=SECONDS, report=self._say_why, report_after=3)

    def submit(self, spec: SearchSpec, name: str) -> str:
        """Upload the spec's pipeline as a version, unless it exists; start a run and return its id."""
        self._check_before(spec)
        pipeline_id, version_id = self._upload(spec)
        return self._start(spec.name, name, pipeline_id, version_id, spec.pipeline.service_account)

    def run(self, run_id: str) -> PipelineRun:
        """Return the state of a run; raises CellwrightError if it does not exist."""
        return read_run(self._ask(f"run {run_id}", self.client.get_run, run_id))

    def runs(self, count: int) -> list[PipelineRun]:
        """Return the latest runs, the newest first."""
        found = self._ask(
            "runs",
            self.client.list_runs,
            page_size=count,
            sort_by="created_at desc",
            namespace=self.namespace,
        )
        return [read_run(run) for run in found.runs or ()]

    def stop(self, run_id: str) -> None:
        """Stop a run; its exit handler cleans up."""
        self._ask(f"run {run_id}", self.client.terminate_run, run_id)

    def step_log(self, run: PipelineRun, step: str) -> str:
        """Return the log of a step's last attempt; empty if KFP has none."""
        node = last_attempt(run, step)
        if node is None:
            return ""
        response = self._ask(
            f"log of {step}",
            self.client._run_api.api_client.call_api,
            f"/apis/v1alpha1/runs/{run.run_id}/nodes/{node}/log",
            "GET",
            retry=self._retry_briefly,  # a pod that has not started has no log
            auth_settings=["Bearer"],
            _preload_content=False,
        )
        return str(response.data.decode(errors="replace"))

    def link(self, run_id: str) -> str:
        """Return the URL of a run's page, if KFP's UI has the same address as its API."""
        prefix = self.client._get_url_prefix()
        return f"{prefix}/#/runs/details/{run_id}" if prefix.startswith("http") else ""

    def follow(self, run_id: str, seconds: float = 5.0) -> Iterator[PipelineRun]:
        """Yield the state of a run repeatedly until it has ended."""
        while True:
            run = self.run(run_id)
            yield run
            if run.has_ended:
                return
            time.sleep(seconds)

    def schedule(self, spec: SearchSpec, timetable: Timetable, description: str) -> tuple[Schedule, bool]:
        """Create or update the schedule with the spec's name; return it, and whether anything was changed.

        Missed runs are not repeated, and no run starts while the last one is running.
        """
        self._check_before(spec)
        pipeline_id, version_id = self._upload(spec)
        same, others = None, []
        for known in self.schedules(spec.name):
            is_wanted = (known.cron, known.version_id, known.enabled) == (timetable.cron, version_id, True)
            if is_wanted and not same:
                same = known
            else:
                others.append(known)
        if same is None:
            made = self._ask(
                f"schedule {spec.name}",
                self.client.create_recurring_run,
                self._experiment(spec.name),
                spec.name,
                description=description,
                cron_expression=timetable.cron,
                max_concurrency=1,
                no_catchup=True,
                pipeline_id=pipeline_id,
                version_id=version_id,
                service_account=spec.pipeline.service_account,
            )
            current = read_schedule(made)
        else:
            current = same
        for old in others:
            self._ask(f"schedule {old.name}", self.client.delete_recurring_run, old.schedule_id)
        return current, same is None or bool(others)

    def schedules(self, name: str | None = None) -> list[Schedule]:
        """Return all schedules, or those with one name."""
        found: list[Schedule] = []
        token = ""
        while True:
            page = self._ask(
                "schedules",
                self.client.list_recurring_runs,
                page_token=token,
                page_size=100,
                namespace=self.namespace,
                filter=_of_name(name) if name else None,
            )
            found += [read_schedule(item) for item in page.recurring_runs or ()]
            token = page.next_page_token or ""
            if not token:
                return found

    def unschedule(self, name: str) -> None:
        """Delete the schedules with a name; raises CellwrightError if there is none."""
        for schedule in self._named(name):
            self._ask(f"schedule {name}", self.client.delete_recurring_run, schedule.schedule_id)

    def run_now(self, name: str, run_name: str) -> str:
        """Start a run of a schedule's pipeline; raises CellwrightError if no schedule has that name."""
        schedule = self._named(name)[0]
        return self._start(
            name, run_name, schedule.pipeline_id, schedule.version_id, schedule.service_account
        )

    def _check_before(self, spec: SearchSpec) -> None:
        """Check what the run needs; only warn of Secrets, since the kubeconfig may be that of another cluster."""
        check_before(spec, self.log)
        try:
            cluster = Cluster(self.namespace or "kubeflow", lambda text: None, seconds=COMMAND_SECONDS)
        except CellwrightError:
            return
        for problem in secret_problems(spec, cluster):
            self.log(f"warning: {problem} (in the cluster of the kubeconfig)")

    def _named(self, name: str) -> list[Schedule]:
        found = self.schedules(name)
        if not found:
            known = ", ".join(sorted(schedule.name for schedule in self.schedules())) or "there is none"
            raise CellwrightError(f"schedule must be one of those on the cluster ({known}), got {name!r}")
        return found

    def _start(
        self, experiment: str, name: str, pipeline_id: str, version_id: str, service_account: str | None
    ) -> str:
        run = self._ask(
            f"run {name!r}",
            self.client.run_pipeline,
            self._experiment(experiment),
            name,
            pipeline_id=pipeline_id,
            version_id=version_id,
            service_account=service_account,
        )
        return str(run.run_id)

    def _experiment(self, name: str) -> str:
        """Return the id of KFP's experiment with this name, and create it if needed."""
        experiment = self._ask(
            f"experiment {name}",
            _again_on_conflict(self.client.create_experiment),
            name,
            namespace=self.namespace,
        )
        return str(experiment.experiment_id)

    def _upload(self, spec: SearchSpec) -> tuple[str, str]:
        """Return the ids of the spec's pipeline and its version, and create them if needed."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pipeline.yaml"
            compile_pipeline(spec, path)
            version = f"{spec.name}-{digest(path.read_text(encoding='utf-8'))}"
            pipeline_id = self._ask(f"pipeline {spec.name}", self.client.get_pipeline_id, spec.name)
            if pipeline_id is None:
                body = kfp_server_api.V2beta1Pipeline(display_name=spec.name, namespace=self.namespace)
                self._ask(
                    f"pipeline {spec.name}",
                    _unless_there(self.client._pipelines_api.pipeline_service_create_pipeline),
                    pipeline=body,
                )
                pipeline_id = self._ask(f"pipeline {spec.name}", self.client.get_pipeline_id, spec.name)
            if (found := self._version(pipeline_id, version)) is None:
                self._ask(
                    f"pipeline version {version}",
                    _unless_there(self.client.upload_pipeline_version),
                    str(path),
                    version,
                    pipeline_id=pipeline_id,
                )
                found = self._version(pipeline_id, version)
        return str(pipeline_id), str(found)

    def _version(self, pipeline_id: str, name: str) -> str | None:
        found = self._ask(
            f"pipeline version {name}",
            self.client.list_pipeline_versions,
            pipeline_id,
            page_size=1,
            filter=_of_name(name),
        )
        versions: Sequence[Any] = found.pipeline_versions or ()
        return str(versions[0].pipeline_version_id) if versions else None

    def _ask(
        self, subject: str, call: Callable[..., Any], *args: Any, retry: Retry | None = None, **kwargs: Any
    ) -> Any:
        """Return KFP's response; temporary errors are retried for two minutes by default."""
        try:
            with _silence():
                return (retry or self._retry)(call, *args, **kwargs)
        except (kfp_server_api.ApiException, kfp_server_api.OpenApiException, CellwrightError) as error:
            raise CellwrightError(
                f"Kubeflow Pipelines at {self.host}, {subject}: {_reason(error)}"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            if _is_about_certificates(error):
                raise CellwrightError(
                    f"Kubeflow Pipelines at {self.host}: {getattr(error, 'reason', error)}; if a private authority "
                    "signed its certificate, name the authority's with --ca-file"
                ) from error
            raise CellwrightError(
                f"Kubeflow Pipelines at {self.host} does not answer: {getattr(error, 'reason', error)}; its "
                "address is given by --host, CELLWRIGHT_HOST or ~/.config/cellwright.toml"
            ) from error

    def _say_why(self, error: BaseException) -> None:
        self.log(f"Kubeflow Pipelines does not answer, asking again: {error}")


def _of_name(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _unless_there(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the call so that it ignores an object that another process has just created."""

    def calling(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except kfp_server_api.ApiException as error:
            if error.status != 409:
                raise
            return None

    return calling


def _again_on_conflict(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a find-or-create call so that it is repeated if another process creates the object meanwhile."""

    def calling(*args: Any, **kwargs: Any) -> Any:
        return _unless_there(call)(*args, **kwargs) or call(*args, **kwargs)

    return calling


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, kfp_server_api.ApiException):
        return is_transient_status(error.status or 0)
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return False
    return isinstance(error, urllib3.exceptions.HTTPError) and not _is_about_certificates(error)


def _is_about_certificates(error: urllib3.exceptions.HTTPError) -> bool:
    return isinstance(getattr(error, "reason", error), urllib3.exceptions.SSLError)


def _reason(error: Exception) -> str:
    """Return the first sentence of KFP's message, which has the reason."""
    if not isinstance(error, kfp_server_api.ApiException):
        return str(error)
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def _silence() -> contextlib.AbstractContextManager[Any]:
    """Suppress kfp's output."""
    return contextlib.redirect_stdout(io.StringIO())
