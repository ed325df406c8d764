"""What comes back from trials, which run elsewhere and write to a store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwright.evaluation import Evaluation
from cellwright.progress import Silent
from cellwright.results import FolderRecord
from cellwright.runners import Key, Outcome, Trials
from cellwright.runners.kubernetes.base import KubernetesRunner
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.runners.kubernetes.section import JobsSection
from cellwright.spec import Resources, SearchSpec, StoreSection
from cellwright.stores import attempting


class Ended(KubernetesRunner):
    """A cluster on which every trial has ended well."""

    with_katib = False

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> "Ended":
        raise NotImplementedError

    def begin(self, key: Key, evaluation: Evaluation | None) -> None: ...

    def stop(self) -> None: ...

    def ended(self) -> Mapping[Key, Outcome]:
        return {key: Outcome(key=key, seconds=1.0, failure=None) for key in self.running}

    def _pods(self) -> Mapping[str, Any]:
        return {}


def test_a_search_pulls_nothing_but_results_from_a_trial(tmp_path: Path):
    pods = TrialPods(
        search="digits-1",
        runner=JobsSection(kind="jobs"),
        store=StoreSection(uri=str(tmp_path / "volume"), claim="volume"),
        image="image:1",
        resources=Resources(),
    )
    runner = Ended(pods, None, Silent())  # type: ignore[arg-type]
    folder = tmp_path / "trial-0-0"
    folder.mkdir()
    (folder / "trial.json").write_text("{}")
    runner.start((0, 0), folder)
    theirs = tmp_path / "theirs"
    with attempting(theirs, runner.store, runner.location((0, 0)), FolderRecord) as attempt:
        assert [path.name for path in theirs.iterdir()] == ["trial.json"]
        for name in ("result.json", "found.json", "sitecustomize.py", "checkpoint.safetensors"):
            (theirs / name).write_text("theirs")
        record = FolderRecord(attempt=attempt.name, files=FolderRecord.files_of(theirs))
        record.save(theirs / FolderRecord.FILE)
    assert runner.wait().failure is None
    assert {path.name for path in folder.iterdir()} == {
        "trial.json",
        "result.json",
        "found.json",
        "finished.json",
    }
