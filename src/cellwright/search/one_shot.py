"""A one-shot search, from the spec to its result: in this process, or in one trial per seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellwright.errors import CellwrightError, DivergedError
from cellwright.evaluation import load_evaluation
from cellwright.katib.settings import SearchSettings
from cellwright.progress import RUNNING, Progress, Update
from cellwright.results import SearchResult
from cellwright.runners import FOUND, REQUEST, RESULT, runner_class
from cellwright.search.supernet_training import train_supernet
from cellwright.search.trial import TrialRequest, trial_folder, trials_of
from cellwright.search.window import Window
from cellwright.seeds import derive_seed
from cellwright.spec import SearchSpec
from cellwright.training import parallel

Searches = tuple[dict[int, SearchResult], list[CellwrightError]]
"""The results of successful searches by the index of their seed, and the errors of the others."""


def one_shot_search(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> SearchResult:
    """Search with each of the budget's seeds, in this process or in trials, and return the best result.

    Raises:
        DivergedError: all searches diverged.
        CellwrightError: all searches diverged or failed.
    """
    search_all = _in_trials if spec.runner.is_remote else _here
    found, failures = search_all(spec, data, folder, progress)
    messages = [str(failure) for failure in failures]
    if not found:
        diverged = all(isinstance(failure, DivergedError) for failure in failures)
        raise (DivergedError if diverged else CellwrightError)("; ".join(messages))
    return _best_of(found, messages)


def seed_result(folder: Path, number: int) -> Path:
    """Return the path of the result with index `number` in a search's folder."""
    return folder / f"seed-{number}.json"


def _here(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> Searches:
    """Search with one seed after another; if a search diverges, continue with the next."""
    folders = [folder, *(folder / f"seed-{number}" for number in range(1, spec.budget.seeds))]
    found: dict[int, SearchResult] = {}
    failures: list[CellwrightError] = []
    for number, location in enumerate(folders):
        _show(spec, number, RUNNING, progress)
        try:
            found[number] = train_supernet(of_seed(spec, number), data, location, progress)
            _show(spec, number, "done", progress, found[number].score)
        except DivergedError as error:
            _show(spec, number, "diverged", progress)
            failures.append(DivergedError(f"{_named(spec, number)}: {error}"))
            progress.log(str(failures[-1]))
            continue
        if parallel.is_first():
            found[number].save(seed_result(folder, number))
    return found, failures


def _in_trials(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> Searches:
    """Search with each seed in a separate trial. One that diverges is no failed trial.

    Raises:
        CellwrightError: more trials fail than the runner's `max_failures`.
    """
    runner = runner_class(spec.runner).of(
        spec, trials_of(spec, data, folder, progress, SearchSettings.of(spec))
    )
    found: dict[int, SearchResult] = {}
    failures: list[CellwrightError] = []

    def wait() -> None:
        outcome = runner.wait()
        number, _ = outcome.key
        location = trial_folder(folder, number, 0)
        if outcome.failure is not None:
            failures.append(CellwrightError(f"{_named(spec, number)}: {outcome.failure}"))
        elif (evaluation := load_evaluation(location / RESULT)).state == "pruned":
            failures.append(DivergedError(f"{_named(spec, number)}: {evaluation.reason}"))
        else:
            found[number] = SearchResult.load(location / FOUND)
            found[number].save(seed_result(folder, number))
            _show(spec, number, "done", progress, found[number].score)
            progress.advance("search", len(found), spec.budget.seeds, {})
        if number not in found:
            _show(spec, number, "failed", progress)
            progress.log(str(failures[-1]))
        trials.end(outcome.key, None, failure=outcome.failure and str(failures[-1]))

    trials: Window[None] = Window(spec, wait)
    try:
        for number in range(spec.budget.seeds):
            for _ in trials.make_room():
                pass
            location = trial_folder(folder, number, 0)
            location.mkdir(exist_ok=True)
            TrialRequest.of(of_seed(spec, number), data).save(location / REQUEST)
            trials.start((number, 0))
            _show(spec, number, RUNNING, progress)
            runner.start((number, 0), location)
        for _ in trials.drain():
            pass
    finally:
        runner.stop()
    return found, failures


def _show(spec: SearchSpec, number: int, state: str, progress: Progress, score: float | None = None) -> None:
    """Show the state of the search with this index, if there are several."""
    if spec.budget.seeds > 1:
        metrics = {} if score is None else {f"validation_{spec.augment.objective}": score}
        progress.update(Update("trial", f"seed {number}", state, metrics, score))


def _named(spec: SearchSpec, number: int) -> str:
    """Return how messages name the search with this index."""
    return f"search {number}" if spec.budget.seeds > 1 else "search"


def of_seed(spec: SearchSpec, number: int) -> SearchSpec:
    """Return the spec of the search with index `number`, which differs in its seed only."""
    seed = derive_seed(spec.seed, "search", number) % 2**31 if number else spec.seed
    return spec.model_copy(update={"seed": seed})


def _best_of(found: Mapping[int, SearchResult], failures: Sequence[str]) -> SearchResult:
    """Return the best result by the validation score, with the total duration."""
    total = len(found) + len(failures)
    if total == 1:
        return next(iter(found.values()))
    scores = {number: found[number].score or 0.0 for number in sorted(found)}
    best = max(scores, key=scores.__getitem__)
    listed = ", ".join(f"{score:.4f}" for score in scores.values())
    return found[best].model_copy(
        update={
            "seconds": sum(result.seconds for result in found.values()),
            "events": (
                *found[best].events,
                *failures,
                f"search {best} of {total} is the best: {listed} on validation",
            ),
        }
    )
