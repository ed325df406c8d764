"""A trial on another machine than its search; a store carries its data, request and results."""

from collections.abc import Mapping
from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, build_objectives, load_evaluation, save_evaluation
from cellwright.katib.assignments import observation, read_suggestion
from cellwright.katib.reporting import report
from cellwright.progress import Progress
from cellwright.results import FolderRecord, StepRecord
from cellwright.runners import REQUEST, RESULT, request_location, step_location, trial_location
from cellwright.search.screening import Screen
from cellwright.search.trial import TrialRequest, run_trial, setting_of, trial_seed
from cellwright.spec.view import parse_view
from cellwright.stores import Store, attempting, download_initial, finished, pull
from cellwright.training.precision import best_device


class RemoteTrial:
    """A trial whose folder and data are in a store.

    Args:
        store: the store of the request and the result.
        search: name of the search.
        trial: `NUMBER-REPEAT`.
        scratch: an empty folder for this trial only.
        parameters: Katib's parameters, from which a request is made if the search has stored none.
    """

    def __init__(
        self, store: Store, search: str, trial: str, scratch: Path, *, parameters: Mapping[str, str]
    ) -> None:
        self.store = store
        self.search = search
        self.trial = trial
        self.folder = scratch / "trial"
        self.data = scratch / "data"
        self.parameters = parameters

    def run(self, progress: Progress) -> Evaluation:
        """Run the trial, resuming from an earlier attempt, and return its evaluation."""
        location = trial_location(self.search, self.trial)
        record = finished(self.store, location, FolderRecord)
        if record is not None:
            pull(self.store, location, record, self.folder, wanted=(RESULT, REQUEST).__contains__)
            return load_evaluation(self.folder / RESULT)
        with attempting(self.folder, self.store, location, FolderRecord, log=progress.log) as attempt:
            if not (self.folder / RESULT).exists():
                request = self._request()
                self._pull_data(request)
                if self._passes(request):
                    run_trial(self.folder, progress, data=self.data)
            files = FolderRecord.files_of(self.folder)
            FolderRecord(attempt=attempt.name, files=files).save(self.folder / FolderRecord.FILE)
        return load_evaluation(self.folder / RESULT)

    def _pull_data(self, request: TrialRequest) -> None:
        location = step_location(request.data)
        record = finished(self.store, location, StepRecord)
        if record is None:
            raise CellwrightError(f"{location} must be in the store, where the search puts it, and is not")
        pull(self.store, location, record, self.data)

    def report(self, evaluation: Evaluation, db_manager: str, katib_trial: str) -> None:
        """Report the evaluation to Katib."""
        objectives = build_objectives(parse_view(self._request().spec).objectives)
        report(katib_trial, observation(evaluation, objectives), db_manager)

    def _request(self) -> TrialRequest:
        """Return the request of the search, or one made from Katib's parameters."""
        if not (self.folder / REQUEST).exists():
            asked_for = self.folder.parent / "request"
            if not download_initial(self.store, request_location(self.search), asked_for):
                raise CellwrightError(f"{request_location(self.search)} must be in the store, and is not")
            common = TrialRequest.load(asked_for / REQUEST)
            evaluation = None
            if "genotype" in self.parameters:
                number = {"number": self.trial.partition("-")[0]}
                evaluation = read_suggestion({**self.parameters, **number}).running
            common.model_copy(update={"evaluation": evaluation}).save(self.folder / REQUEST)
        request = TrialRequest.load(self.folder / REQUEST)
        asked = request.evaluation.candidate.line if request.evaluation else None
        if (proposed := self.parameters.get("genotype")) not in (None, asked):
            raise CellwrightError(
                f"trial {self.trial} must evaluate {asked}, as its search asks, got {proposed}"
            )
        return request

    def _passes(self, request: TrialRequest) -> bool:
        """Return whether the constraints hold. A search has already checked them."""
        if request.evaluation is None or request.evaluation.metrics:
            return True
        spec = parse_view(request.spec)
        setting = setting_of(spec, PreparedData.open(self.data), best_device())
        seed = trial_seed(spec, request.evaluation)
        screened = Screen([], spec, setting).look_at(request.evaluation, (), seed=seed)
        if screened.state != "running":
            save_evaluation(screened, self.folder / RESULT)
            return False
        request.model_copy(update={"evaluation": screened}).save(self.folder / REQUEST)
        return True
