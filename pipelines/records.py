"""Runs and schedules of Kubeflow Pipelines as plain records."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cellwright.errors import CellwrightError
from cellwright.step_list import STEPS

TASKS = ("prepare", "decide", *(step for step in STEPS if step != "prepare"), "finish")
POLICY_BRANCH = "condition-2"
"""Argo's name for the steps that are left out where a policy finds nothing to do."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepState:
    """The state of a step."""

    state: str
    """One of KFP's states: RUNNING, SUCCEEDED, FAILED, SKIPPED, CANCELED…"""
    seconds: float
    """Duration so far, or until the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRun:
    """The state of a run."""

    run_id: str
    name: str
    state: str
    created: datetime
    steps: Mapping[str, StepState]
    nodes: frozenset[str]
    """Argo's ids of the run's nodes."""

    def to_dict(self) -> dict[str, Any]:
        """Return the run for display, with `steps` as a dictionary of dictionaries."""
        return {name: value for name, value in asdict(self).items() if name != "nodes"}

    @property
    def has_ended(self) -> bool:
        """Return whether the run is in a final state."""
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A recurring run."""

    schedule_id: str
    name: str
    cron: str
    """Six fields in UTC."""
    description: str
    enabled: bool
    pipeline_id: str
    version_id: str
    service_account: str | None


def read_run(run: Any) -> PipelineRun:
    """Convert KFP's record of a run.

    Raises:
        CellwrightError: it is not such a record.
    """
    _require(run, "run_id", "created_at")
    tasks = run.run_details.task_details if run.run_details else None
    steps = {}
    nodes: set[str] = set()
    for task in tasks or ():
        nodes.update(child.pod_name for child in task.child_tasks or () if child.pod_name)
        if task.display_name in TASKS:
            end = task.end_time if task.end_time and task.end_time.year > 1970 else None
            now = datetime.now(tz=task.start_time.tzinfo)
            seconds = ((end or now) - task.start_time).total_seconds()
            steps[task.display_name] = StepState(state=task.state or "PENDING", seconds=max(0.0, seconds))
    return PipelineRun(
        run_id=run.run_id,
        name=run.display_name,
        state=_state(run),
        created=run.created_at,
        steps={name: steps[name] for name in TASKS if name in steps},
        nodes=frozenset(nodes),
    )


def _require(record: Any, *names: str) -> None:
    """Reject a response in another format, which kfp's client converts to a record without values."""
    if missing := [name for name in names if getattr(record, name, None) is None]:
        raise CellwrightError(f"what Kubeflow Pipelines answers must have {', '.join(missing)}, and has not")


def _state(run: Any) -> str:
    """Return a run's state. KFP reports a stopped run as failed."""
    was_stopped = any(status.state == "CANCELING" for status in run.state_history or ())
    return "CANCELED" if was_stopped and run.state == "FAILED" else run.state or "PENDING"


def read_schedule(item: Any) -> Schedule:
    """Convert KFP's record of a recurring run.

    Raises:
        CellwrightError: it is not such a record.
    """
    _require(item, "recurring_run_id", "display_name")
    cron = item.trigger.cron_schedule.cron if item.trigger and item.trigger.cron_schedule else ""
    version = item.pipeline_version_reference
    return Schedule(
        schedule_id=item.recurring_run_id,
        name=item.display_name,
        cron=cron or "",
        description=item.description or "",
        enabled=item.status == "ENABLED",
        pipeline_id=version.pipeline_id if version else "",
        version_id=version.pipeline_version_id if version else "",
        service_account=item.service_account,
    )


def last_attempt(run: PipelineRun, step: str) -> str | None:
    """Return Argo's id of a step's last pod: the workflow's name and a hash of the node's path."""
    prefix = next((node.rpartition("-")[0] for node in run.nodes), "")
    handled = f"{prefix}.root.exit-handler-1"
    locations = [f"{prefix}.root"] if step == "finish" else [handled, f"{handled}.{POLICY_BRANCH}"]
    attempts = [
        f"{prefix}-{_fnv1a(f'{location}.{step}.executor({attempt})')}"
        for attempt in range(100)
        for location in locations
    ]
    return next((node for node in reversed(attempts) if node in run.nodes), None)


def _fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash, http://www.isthe.com/chongo/tech/comp/fnv."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
