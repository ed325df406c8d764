"""Katib's part, played in this process: it asks the real service over a real channel, and ends trials as it likes."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from cellwright.evaluation import Evaluation, Objective, Suggestion
from cellwright.katib.api_pb2 import (
    AlgorithmSetting,
    AlgorithmSpec,
    Experiment,
    ExperimentSpec,
    GetSuggestionsReply,
    GetSuggestionsRequest,
    Metric,
    ObjectiveSpec,
    ObjectiveType,
    Observation,
    ParameterAssignment,
    ParameterSpec,
    Trial,
    TrialSpec,
    TrialStatus,
    ValidateAlgorithmSettingsReply,
    ValidateAlgorithmSettingsRequest,
)
from cellwright.katib.assignments import assign, observation, read_suggestion
from cellwright.katib.service import serve
from cellwright.katib.settings import SearchSettings

Act = Callable[[Suggestion], Evaluation]
"""What becomes of a suggestion."""


class Client:
    """Speaks to a service."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.get = channel.unary_unary(
            "/api.v1.beta1.Suggestion/GetSuggestions",
            request_serializer=GetSuggestionsRequest.SerializeToString,
            response_deserializer=GetSuggestionsReply.FromString,
        )
        self.validate = channel.unary_unary(
            "/api.v1.beta1.Suggestion/ValidateAlgorithmSettings",
            request_serializer=ValidateAlgorithmSettingsRequest.SerializeToString,
            response_deserializer=ValidateAlgorithmSettingsReply.FromString,
        )

    def suggest(
        self, experiment: Experiment, trials: list[Trial], count: int, *, unseen: int = 0
    ) -> list[dict[str, str]]:
        """Return the parameters of new trials, where so many of the earlier ones are not shown."""
        request = GetSuggestionsRequest(
            experiment=experiment,
            trials=trials,
            current_request_number=count,
            total_request_number=len(trials) + unseen + count,
        )
        reply = self.get(request, timeout=60)
        return [{a.name: a.value for a in trial.assignments} for trial in reply.parameter_assignments]

    def refusal(self, experiment: Experiment) -> str:
        """Return why the service refuses an experiment; empty where it does not."""
        try:
            self.validate(ValidateAlgorithmSettingsRequest(experiment=experiment), timeout=60)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return error.details()
        return ""


@contextmanager
def running_service(seconds: float = 0.2, *, with_own_code: bool = False) -> Iterator[Client]:
    server, port = serve(0, seconds=seconds, with_own_code=with_own_code)
    try:
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            yield Client(channel)
    finally:
        server.stop(None)


def experiment(settings: SearchSettings | Mapping[str, str], **changes: object) -> Experiment:
    """Return the experiment that suits the settings, but for what is given."""
    if isinstance(settings, SearchSettings):
        right, texts = settings, settings.to_settings()
    else:
        right, texts = (
            SearchSettings.from_settings(
                {"strategy": "random", "space": "nasbench201"}, {"metric": "accuracy"}
            ),
            settings,
        )
    first, *others = right.objectives
    values = {
        "algorithm": right.algorithm_name,
        "parameters": right.parameters,
        "metric": first.metric,
        "type": first.direction,
        "additional": [o.metric for o in others],
        "parallel": right.parallel,
        **changes,
    }
    return Experiment(
        name="played",
        spec=ExperimentSpec(
            parameter_specs=ExperimentSpec.ParameterSpecs(
                parameters=[ParameterSpec(name=name) for name in values["parameters"]]
            ),
            objective=ObjectiveSpec(
                type=ObjectiveType.Value(values["type"].upper()),
                objective_metric_name=values["metric"],
                additional_metric_names=values["additional"],
            ),
            algorithm=AlgorithmSpec(
                algorithm_name=values["algorithm"],
                algorithm_settings=[AlgorithmSetting(name=n, value=v) for n, v in texts.items()],
            ),
            parallel_trial_count=values["parallel"],
        ),
    )


def begun_trial(assignments: Mapping[str, str]) -> Trial:
    """Return a trial that runs, as Katib has it."""
    return Trial(
        name=f"played-{random.Random(str(assignments)).getrandbits(32):x}",
        spec=TrialSpec(
            parameter_assignments=TrialSpec.ParameterAssignments(
                assignments=[ParameterAssignment(name=n, value=v) for n, v in assignments.items()]
            )
        ),
        status=TrialStatus(
            condition=TrialStatus.RUNNING,
            start_time="2026-01-01T00:00:00Z",
            completion_time="0001-01-01T00:00:00Z",
        ),
    )


def end_trial(trial: Trial, evaluation: Evaluation, objectives: list[Objective]) -> None:
    """End a trial, which fails where the evaluation has."""
    trial.status.completion_time = "2026-01-01T00:01:00Z"
    if evaluation.state == "failed":
        trial.status.condition = TrialStatus.FAILED
        return
    trial.status.condition = TrialStatus.SUCCEEDED
    metrics = [Metric(name=n, value=v) for n, v in observation(evaluation, objectives)]
    trial.status.observation.CopyFrom(Observation(metrics=metrics))


def ended_trial(evaluation: Evaluation, objectives: list[Objective]) -> Trial:
    """Return a trial that ended as the evaluation says."""
    suggestion = Suggestion(
        number=evaluation.number, candidate=evaluation.candidate, fidelity=evaluation.fidelity
    )
    trial = begun_trial(assign(suggestion))
    end_trial(trial, evaluation, objectives)
    return trial


def suggestion_of(trial: Trial) -> Suggestion:
    return read_suggestion({a.name: a.value for a in trial.spec.parameter_assignments.assignments})


@dataclass
class Play:
    """A whole experiment: trials end in an order of chance, and the service dies now and then.

    Args:
        settings: of the search.
        act: what becomes of suggestions.
        rng: all chance.
        lifetime: requests after which the service is another one, on the average.
    """

    settings: SearchSettings
    act: Act
    rng: random.Random
    lifetime: float = 4
    trials: list[Trial] = field(default_factory=list)
    waits: int = 0
    """How often the service had to wait for a trial."""

    def until(self, count: int) -> list[Suggestion]:
        """Return so many suggestions, in order."""
        while len(self.trials) < count:
            with running_service() as client:
                while len(self.trials) < count and self.rng.random() > 1 / self.lifetime:
                    self._step(client, count)
        return sorted(map(suggestion_of, self.trials), key=lambda suggestion: suggestion.number)

    def _step(self, client: Client, count: int) -> None:
        active = [trial for trial in self.trials if trial.status.condition == TrialStatus.RUNNING]
        wanted = min(self.settings.parallel - len(active), count - len(self.trials))
        try:
            new = client.suggest(experiment(self.settings), self.trials, wanted) if wanted else []
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            self.waits += 1
            new = []
        self.trials += map(begun_trial, new)
        self.rng.shuffle(self.trials)
        active = [trial for trial in self.trials if trial.status.condition == TrialStatus.RUNNING]
        for trial in self.rng.sample(active, self.rng.randint(1, len(active))):
            end_trial(trial, self.act(suggestion_of(trial)), self.settings.build_objectives())
