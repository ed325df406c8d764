"""The suggestion service, asked over gRPC as Katib asks it."""

import random
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, EvaluationLine, Suggestion
from cellwright.katib.api_pb2 import Trial, TrialStatus
from cellwright.katib.assignments import assign, read_suggestion
from cellwright.katib.service import serve
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Silent
from cellwright.runners import REQUEST, RESULT, Key, Outcome, Runner
from cellwright.search.exploring import Exploration
from cellwright.search.screening import Screen
from cellwright.search.trial import TrialRequest
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.spec.families import STRATEGIES as KINDS
from cellwright.strategies.sampled import build_sampled
from tests.counting import Convolutions
from tests.katib.playing import Play, begun_trial, ended_trial, experiment, running_service

SPACE = {"kind": "darts", "num_cells": 2, "channels": 2, "num_nodes": 2}
ASHA = {"kind": "asha", "rungs": 3, "reduction": 2}
STRATEGIES = {
    "random": {"kind": "random"},
    "regularized-evolution": {"kind": "regularized-evolution", "population": 6},
    "local-search": {"kind": "local-search", "initial": 5},
    "reinforce": {"kind": "reinforce"},
    "predictor": {"kind": "predictor", "initial": 6},
    "nsga2": {"kind": "nsga2", "population": 6},
    "asha-evolution": {"kind": "regularized-evolution", "population": 6, "scheduler": ASHA},
    "asha-predictor": {"kind": "predictor", "initial": 6, "scheduler": ASHA},
}
TWO_OBJECTIVES = [{"metric": "accuracy"}, {"metric": "params", "direction": "minimize"}]


def act(suggestion: Suggestion) -> Evaluation:
    """One in seven fails; what the others score follows from the candidate and the fidelity."""
    if suggestion.number % 7 == 5:
        return replace(suggestion.running, state="failed", seconds=60.0)
    rng = random.Random(suggestion.candidate.line)
    metrics = {"accuracy": rng.random() * suggestion.fidelity.epochs, "params": float(rng.randrange(1000))}
    return replace(suggestion.running, state="done", metrics=metrics, seconds=60.0)


class Stage(Runner):
    """Acts out the trials of the loop in `steps`, in an order of chance."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.running: dict[Key, Path] = {}

    @classmethod
    def of(cls, spec, trials):
        raise NotImplementedError

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        self.running[key] = folder

    def wait(self) -> Outcome:
        key = self.rng.choice(sorted(self.running))
        folder = self.running.pop(key)
        evaluation = TrialRequest.load(folder / REQUEST).evaluation
        acted = act(Suggestion(number=key[0], candidate=evaluation.candidate, fidelity=evaluation.fidelity))
        if acted.state == "failed":
            return Outcome(key=key, seconds=60.0, failure="out of luck")
        measured = replace(acted, metrics={**evaluation.metrics, **acted.metrics})
        (folder / RESULT).write_bytes(EvaluationLine.dump_json(measured))
        return Outcome(key=key, seconds=60.0, failure=None)

    def stop(self) -> None:
        self.running.clear()


def settings_of(strategy: dict, **others) -> SearchSettings:
    objectives = TWO_OBJECTIVES if strategy["kind"] == "nsga2" else TWO_OBJECTIVES[:1]
    values = {"strategy": strategy, "space": SPACE, "objectives": objectives, "seed": 3, "parallel": 3}
    return SearchSettings.model_validate({**values, **others})


def explored(
    settings: SearchSettings, folder: Path, setting, count: int, *, keep: float = 1.0
) -> list[Evaluation]:
    """Return what the loop in `steps` suggests for the same search, and what became of it."""
    spec = SearchSpec.model_validate(
        {
            "name": "explored",
            "seed": settings.seed,
            "data": {"source": "digits"},
            "space": settings.space,
            "strategy": settings.strategy,
            "objectives": settings.objectives,
            "budget": {"evaluations": count},
            "runner": {"parallel": settings.parallel},
        }
    )
    space = settings.build_space()
    exploration = Exploration(
        spec,
        build_sampled(spec.strategy, space, settings.build_objectives(), seed=spec.seed),
        Screen([(Convolutions(), keep)], spec, setting),
        runner=Stage(9),
        data=folder,
        folder=folder,
        progress=Silent(),
        start=[Candidate.from_line(line) for line in settings.start],
    )
    exploration.explore()
    exploration.close()
    return [evaluation for _, evaluation in sorted(exploration.evaluations.items())]


def suggestions_of(evaluations: list[Evaluation]) -> list[Suggestion]:
    return [Suggestion(number=e.number, candidate=e.candidate, fidelity=e.fidelity) for e in evaluations]


def start_lines(count: int) -> list[str]:
    space = build_space(settings_of({"kind": "random"}).space)
    return [space.sample(random.Random(seed)).to_line() for seed in range(70, 70 + count)]


def trial_of(suggestion: Suggestion, settings: SearchSettings) -> Trial:
    return ended_trial(act(suggestion), settings.build_objectives())


@pytest.fixture
def client():
    with running_service() as client:
        yield client


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_suggestions_are_those_of_the_search_itself(strategy, parallel, tmp_path, tiny_setting):
    settings = settings_of(strategy, parallel=parallel, start=start_lines(4))
    expected = suggestions_of(explored(settings, tmp_path, tiny_setting, 20))
    play = Play(settings, act, random.Random(5))
    assert play.until(20) == expected
    assert (play.waits > 0) == (parallel > 1)


def test_what_is_screened_out_counts_as_known_at_once(tmp_path, tiny_setting):
    settings = settings_of(STRATEGIES["regularized-evolution"], parallel=1)
    expected = explored(settings, tmp_path, tiny_setting, 12, keep=0.4)
    fates = {e.number: e for e in expected}
    assert {"pruned", "done"} <= {e.state for e in expected}
    play = Play(settings, lambda suggestion: fates[suggestion.number], random.Random(5))
    assert play.until(len(expected)) == suggestions_of(expected)


def test_what_is_screened_out_leaves_its_place_to_the_trial_before(client):
    settings = settings_of(STRATEGIES["local-search"], parallel=3)
    suggestions = Play(settings, act, random.Random(5)).until(9)
    trials = [trial_of(s, settings) for s in suggestions]
    for place in (7, 8):
        out = replace(suggestions[place].running, state="pruned", seconds=0.0)
        trials[place] = ended_trial(out, settings.build_objectives())
    before = client.suggest(experiment(settings), trials, 1)
    trials[6] = begun_trial(assign(suggestions[6]))
    trials[5] = begun_trial(assign(suggestions[5]))
    assert client.suggest(experiment(settings), trials, 1) == before, "the last two to begin were 5 and 6"


def test_the_same_question_has_the_same_answer(client):
    settings = settings_of(STRATEGIES["predictor"])
    trials = [trial_of(s, settings) for s in Play(settings, act, random.Random(5)).until(12)]
    answers = [client.suggest(experiment(settings), trials, count) for count in (2, 2, 1)]
    assert answers[0] == answers[1] and answers[0][:1] == answers[2]


def test_a_service_may_be_asked_about_an_earlier_state(client):
    settings = settings_of(STRATEGIES["reinforce"], parallel=1)
    suggestions = Play(settings, act, random.Random(5)).until(15)
    trials = [trial_of(s, settings) for s in suggestions]
    for count in (14, 6, 10, 0):
        assert client.suggest(experiment(settings), trials[:count], 1) == [assign(suggestions[count])]


@pytest.mark.parametrize("missing", [0, 8, 11, 13])
@pytest.mark.parametrize("strategy", ["regularized-evolution", "predictor"])
def test_a_missing_number_is_suggested_first_and_as_it_was(strategy, missing, client):
    settings = settings_of(STRATEGIES[strategy])
    suggestions = Play(settings, act, random.Random(5)).until(14)
    trials = [trial_of(s, settings) for s in suggestions if s.number != missing]
    assert client.suggest(experiment(settings), trials, 1) == [assign(suggestions[missing])]


def test_missing_numbers_are_not_waited_for_before_they_are_started(client):
    settings = settings_of(STRATEGIES["regularized-evolution"])
    suggestions = Play(settings, act, random.Random(5)).until(14)
    trials = [trial_of(s, settings) for s in suggestions if s.number not in (3, 8)]
    new = client.suggest(experiment(settings), trials, 3)
    assert [trial["number"] for trial in new] == ["3", "8", "14"]


def test_a_trial_that_katib_does_not_see_yet_is_not_suggested_again(client):
    settings = settings_of(STRATEGIES["random"])
    suggestions = Play(settings, act, random.Random(5)).until(10)
    trials = [trial_of(s, settings) for s in suggestions]
    with pytest.raises(grpc.RpcError) as caught:
        client.suggest(experiment(settings), trials[:8], 1, unseen=2)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "10 trials were suggested, 8 of them are seen yet"
    assert client.suggest(experiment(settings), trials, 1)[0]["number"] == "10"


@pytest.mark.parametrize("strategy", ["random", "beta-darts"])
def test_a_trial_that_katib_leaves_out_for_good_is_suggested_again(strategy, client):
    settings = settings_of({"kind": strategy}, in_order=False)
    trials = [
        begun_trial({"number": str(n), "genotype": start_lines(1)[0], "fidelity": "full"}) for n in range(6)
    ]
    left_out = [*trials[:3], *trials[4:]]
    new: list[dict[str, str]] = []
    while not new:
        with suppress(grpc.RpcError):
            new = client.suggest(experiment(settings, parallel=1), left_out, 1, unseen=1)
        time.sleep(0.05)
    assert new[0]["number"] == "3"
    again = client.suggest(experiment(settings, parallel=1), trials, 1, unseen=1)
    assert again[0]["number"] == "6", "what it has waited for it does not wait for again"


def test_of_two_trials_of_one_number_the_one_that_ended_holds(client):
    settings = settings_of(STRATEGIES["regularized-evolution"], parallel=1)
    suggestions = Play(settings, act, random.Random(5)).until(10)
    trials = [trial_of(s, settings) for s in suggestions]
    expected = client.suggest(experiment(settings), trials, 1)
    again = [begun_trial(assign(suggestions[9])), *trials]
    assert client.suggest(experiment(settings), again, 1) == expected


def test_a_straggler_is_waited_for_where_order_counts(client):
    settings = settings_of(STRATEGIES["local-search"], parallel=2)
    trials = [trial_of(s, settings) for s in Play(settings, act, random.Random(5)).until(8)]
    trials[4].status.condition = TrialStatus.RUNNING
    with pytest.raises(grpc.RpcError) as caught:
        client.suggest(experiment(settings), trials, 1)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == (
        "suggestion 8 has to wait until trial 4 has ended: in_order is true, and parallel is 2"
    )
    settings = settings.model_copy(update={"in_order": False})
    assert [trial["number"] for trial in client.suggest(experiment(settings), trials, 1)] == ["8"]


def test_failed_and_killed_trials_are_not_waited_for(client):
    settings = settings_of(STRATEGIES["random"], parallel=1)
    trials = [trial_of(s, settings) for s in Play(settings, act, random.Random(5)).until(3)]
    for trial, end in zip(
        trials, (TrialStatus.FAILED, TrialStatus.KILLED, TrialStatus.EARLYSTOPPED), strict=True
    ):
        trial.status.condition = end
        trial.status.ClearField("observation")
    assert [trial["number"] for trial in client.suggest(experiment(settings), trials, 1)] == ["3"]


def test_a_used_up_space_says_so(client):
    space = {"kind": "darts", "num_nodes": 1, "primitives": ["skip_connect", "sep_conv_3x3"]}
    settings = settings_of({"kind": "random"}, space=space, parallel=1)
    trials: list[Trial] = []
    with pytest.raises(grpc.RpcError) as caught:
        while True:
            (assignments,) = client.suggest(experiment(settings), trials, 1)
            trials.append(trial_of(read_suggestion(assignments), settings))
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert caught.value.details() == "the space is used up after 16 architectures"
    assert len(trials) == 16


def test_hyperparameters_are_searched_too(client):
    tune = {"retrain.learning_rate": [0.003, 0.01, 0.03], "augment.flip": [True, False]}
    settings = settings_of({"kind": "random"}, tune=tune)
    (trial,) = client.suggest(experiment(settings), [], 1)
    candidate = Candidate.from_line(trial["genotype"])
    assert all(candidate.values[name] in values for name, values in tune.items())


def test_a_trial_of_a_one_shot_search_is_the_next_search_seed(client):
    settings = SearchSettings.model_validate(
        {"strategy": {"kind": "beta-darts"}, "space": SPACE, "objectives": [{"metric": "accuracy"}]}
    )
    asked = experiment(settings, parallel=2)
    assert client.refusal(asked) == ""
    trials = [begun_trial({"number": number}) for number in ("0", "2")]
    assert client.suggest(asked, trials, 2) == [{"number": "1"}, {"number": "3"}]


def test_a_thousand_trials_are_little(client):
    settings = settings_of(STRATEGIES["random"], space={"kind": "darts"}, parallel=10)
    rng = random.Random(0)
    suggestions = [Suggestion(number=n, candidate=settings.build_space().sample(rng)) for n in range(1000)]
    trials = [trial_of(s, settings) for s in suggestions]
    new = client.suggest(experiment(settings), trials, 10)
    assert [trial["number"] for trial in new] == [str(number) for number in range(1000, 1010)]


def test_a_trial_that_is_none_of_ours_is_named(client):
    settings = settings_of(STRATEGIES["random"])
    for assignments, message in (
        ({"number": "one"}, "a trial's parameter number must be a whole number from 0, got 'one'"),
        ({"number": "3"}, "trial 3 must have the parameters genotype and fidelity, lacks genotype, fidelity"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            client.suggest(experiment(settings), [begun_trial(assignments)], 1)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == message


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_a_right_experiment_is_let_through(strategy, client):
    assert client.refusal(experiment(settings_of(strategy, start=start_lines(2)))) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"algorithm": "cellwright-random"},
            "algorithmName must be cellwright-nsga2, as the setting strategy has it, got cellwright-random",
        ),
        (
            {"parameters": ("genotype", "lr")},
            "parameters must be number, genotype, fidelity, got genotype, lr",
        ),
        (
            {"metric": "loss", "type": "minimize"},
            "objective must be to maximize accuracy, as the setting objectives has it, got minimize loss",
        ),
        (
            {"additional": ["seconds"]},
            "objective.additionalMetricNames must have params: the setting objectives has them",
        ),
        (
            {"parallel": 4},
            "parallelTrialCount must be at most the setting parallel, which is 3, where in_order is true, got 4",
        ),
        (
            {"parallel": 4, "algorithm": "cellwright"},
            "algorithmName must be cellwright-nsga2, as the setting strategy has it, got cellwright; "
            "parallelTrialCount must be at most the setting parallel, which is 3, where in_order is true, got 4",
        ),
    ],
)
def test_an_experiment_that_does_not_suit_its_settings_is_refused(changes, message, client):
    assert client.refusal(experiment(settings_of(STRATEGIES["nsga2"]), **changes)) == message


def test_architectures_that_are_none_of_the_space_are_refused(client):
    settings = settings_of(STRATEGIES["random"], start=["darts:normal~2~0.skip_connect", "darts:normal~x"])
    assert client.refusal(experiment(settings)) == (
        "start.0: cells must be ['normal', 'reduce'], got ['normal']; "
        "start.1: a cell must be NAME~INPUTS~NODE~…, got 'normal~x'"
    )


def test_a_package_that_is_not_there_is_named():
    settings = {"strategy": "random", "space": '{"kind": "nowhere.spaces:MineSection"}'}
    with running_service(with_own_code=True) as client:
        assert client.refusal(experiment(settings)) == (
            "algorithmSettings: space: nowhere.spaces:MineSection: cannot find nowhere, which must be installed or on "
            "PYTHONPATH"
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "random", "space": '{"kind": "this:d"}'},
        {"strategy": "this:d", "space": "darts"},
        {"strategy": '{"kind": "random", "scheduler": {"kind": "this:d"}}', "space": "darts"},
        {"strategy": "random", "space": "darts", "start": '[{"kind": "this:d"}]'},
    ],
)
def test_no_request_imports_anything_unless_the_image_says_so(client, settings: dict[str, str]):
    (name,) = (name for name, value in settings.items() if "this:d" in value)
    assert client.refusal(experiment(settings)) == (
        f"algorithmSettings: {name}: kind must be a built-in one, got 'this:d': code of your own runs only in an "
        "image that sets CELLWRIGHT_OWN_CODE=1"
    )
    with pytest.raises(grpc.RpcError) as caught:
        client.suggest(experiment(settings), [], 1)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "this" not in sys.modules


@pytest.mark.parametrize("count", [-1, 1001, 2**31 - 1])
@pytest.mark.parametrize("strategy", ["random", "beta-darts"])
def test_no_more_is_suggested_than_anyone_needs(client, strategy: str, count: int):
    settings = SearchSettings.model_validate(
        {"strategy": {"kind": strategy}, "space": SPACE, "objectives": [{"metric": "accuracy"}]}
    )
    with pytest.raises(grpc.RpcError) as caught:
        client.suggest(experiment(settings), [], count)
    assert caught.value.details() == f"current_request_number must be from 0 to 1000, got {count}"


def test_a_request_is_no_larger_than_memory_suffices_for(client):
    large = experiment({"strategy": "random", "space": "darts"})
    large.name = "x" * (9 << 20)
    with pytest.raises(grpc.RpcError) as caught:
        client.suggest(large, [], 1)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in caught.value.details()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "strategy: must be JSON, got"),
        ("9" * 5_000, "strategy"),
    ],
)
def test_what_json_cannot_hold_is_refused(client, text: str, message: str):
    assert message in client.refusal(experiment({"strategy": text, "space": "darts"}))


def test_settings_that_break_rules_are_refused(client):
    assert client.refusal(experiment({"strategy": "randon", "seed": "-1"})) == (
        f"algorithmSettings: strategy.kind: must be one of {', '.join(map(repr, KINDS.kinds))}, "
        "got 'randon'; did you mean 'random'?; space: must be given; "
        "seed: must be greater than or equal to 0, got -1"
    )


def test_what_is_not_foreseen_does_not_end_the_service(client, monkeypatch):
    settings = settings_of(STRATEGIES["random"])
    with monkeypatch.context() as patch:
        patch.setattr("cellwright.katib.searching.build_sampled", lambda *_, **__: 1 / 0)
        with pytest.raises(grpc.RpcError) as caught:
            client.suggest(experiment(settings), [], 1)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert "division by zero" in caught.value.details()
    assert len(client.suggest(experiment(settings), [], 1)) == 1


@pytest.mark.parametrize("name", ["", "manager.v1beta1.Suggestion"])
def test_probes_find_it_healthy(name):
    server, port = serve(0)
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=name), timeout=10
        )
    server.stop(None)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
