"""Following a run of Kubeflow Pipelines: the states of its steps, and what they log while they run."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cellwright.progress import Progress
    from cellwright.runners.kubernetes.step_pods import StepPods
    from cellwright_pipelines.kubeflow import Kubeflow
    from cellwright_pipelines.records import PipelineRun

LOG_LINES = 20
"""How many of a failed step's last lines are shown, where they name no cause."""


def follow_run(kubeflow: "Kubeflow", run_id: str) -> None:
    """Show a run until it ends: the state of each step, and what the running ones log.

    Raises:
        CellwrightError: the run did not succeed; the message has the cause of what failed.
    """
    from cellwright.cli.display import progress_display
    from cellwright.errors import CellwrightError
    from cellwright.progress import Update

    shown: dict[str, str] = {}
    pods = _pods(kubeflow, run_id)
    with progress_display(has_clock=False) as progress:
        logs = _Logs(kubeflow, pods, progress)
        for run in kubeflow.follow(run_id):
            for step, state in run.steps.items():
                is_at_work = state.state in ("RUNNING", "PENDING")
                if state.state == "RUNNING" or shown.get(step) == "running":
                    logs.show(run, step)
                problem = _problem(pods, step) if pods and state.state == "RUNNING" else None
                word = problem or state.state.lower()
                if shown.get(step) != word and state.state != "PENDING":
                    shown[step] = word
                    metrics = {} if is_at_work else {"seconds": state.seconds}
                    progress.update(Update("step", step, word, metrics))
    if run.state == "SUCCEEDED":
        _conclude(kubeflow, run, logs.messages)
        typer.echo(f"succeeded: {run.name}")
        return
    if run.state == "CANCELED":
        raise CellwrightError(f"run {run_id} was stopped")
    reasons = [
        f"{step}: {_cause(log_of(kubeflow, run, step))}"
        for step, state in run.steps.items()
        if state.state == "FAILED"
    ]
    raise CellwrightError("\n".join([f"run {run_id} {run.state.lower()}", *reasons]))


class _Logs:
    """Shows what is new in the logs of steps, as far as they can be read right now."""

    def __init__(self, kubeflow: "Kubeflow", pods: "StepPods | None", progress: "Progress") -> None:
        self._kubeflow = kubeflow
        self._pods = pods
        self._progress = progress
        self._num_seen: dict[str, int] = {}
        self.messages: set[str] = set()
        """All messages that were shown."""

    def show(self, run: "PipelineRun", step: str) -> None:
        """Pass on the events in lines of a step's log that have not been seen."""
        from cellwright.progress import Update
        from cellwright.report.lines import Message, read_line, show

        *lines, _ = self._read(run, step).split("\n")  # the last one may be unfinished
        seen = self._num_seen.get(step, 0)
        for line in lines[seen if seen <= len(lines) else 0 :]:  # shorter: of another attempt
            event = read_line(line)
            if event and not (isinstance(event, Update) and event.part == "step"):
                show(event, self._progress)
                if isinstance(event, Message):
                    self.messages.add(event.text)
        if lines:
            self._num_seen[step] = len(lines)

    def _read(self, run: "PipelineRun", step: str) -> str:
        from cellwright.errors import CellwrightError

        try:
            return self._pods.log(step) if self._pods else self._kubeflow.step_log(run, step)
        except CellwrightError:
            return ""


def _conclude(kubeflow: "Kubeflow", run: "PipelineRun", shown: set[str]) -> None:
    """Print the scores of all networks, and where the model is, as the steps' logs have them, unless shown already."""
    from cellwright.report.lines import messages_of
    from cellwright.report.terminal import visible

    for step in ("evaluate", "register"):
        for message in messages_of(log_of(kubeflow, run, step), step):
            if message not in shown:
                typer.echo(visible(message))


def _problem(pods: "StepPods", step: str) -> str | None:
    """Return what keeps a step from running, as far as its pods can be seen right now."""
    from cellwright.errors import CellwrightError

    try:
        return pods.problem(step)
    except CellwrightError:
        return None


def _cause(log: str) -> str:
    """Return the error in a log, or its last lines."""
    from cellwright.report.lines import last_error

    last_lines = "\n".join(log.strip().splitlines()[-LOG_LINES:])
    return last_error(log) or last_lines or "there is no log: its pod never ran, or is gone"


def log_of(kubeflow: "Kubeflow", run: "PipelineRun", step: str) -> str:
    """Return a step's log from KFP, or from its pod where KFP gives none and the kubeconfig reaches it."""
    from cellwright.errors import CellwrightError

    text: str = kubeflow.step_log(run, step)
    if text:
        return text
    try:
        pods = _pods(kubeflow, run.run_id)
        return pods.log(step) if pods else ""
    except CellwrightError as error:
        return f"the log cannot be read: {error}"


def _pods(kubeflow: "Kubeflow", run_id: str) -> "StepPods | None":
    """Return the pods of a run, if this may look at them."""
    from cellwright.errors import CellwrightError
    from cellwright.runners.kubernetes.api import COMMAND_SECONDS, Cluster
    from cellwright.runners.kubernetes.step_pods import StepPods

    try:
        cluster = Cluster(kubeflow.namespace or "kubeflow", lambda reason: None, seconds=COMMAND_SECONDS)
        pods = StepPods(cluster, run_id)
        pods.problem("prepare")
    except CellwrightError:
        return None
    return pods
