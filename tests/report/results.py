"""Results as a run of digits leaves them."""

from cellwright.genotype import Genotype
from cellwright.results import (
    Alphas,
    ChampionMove,
    Comparison,
    Confusion,
    Decidedness,
    EpochRecord,
    EvaluationResult,
    Interval,
    LatencyResult,
    ModelHistory,
    ModelScore,
    PastModel,
    RegistrationResult,
    Score,
    ScoreTable,
    SearchResult,
)

LINE = "darts:normal~2~0.skip_connect,1.sep_conv_3x3:reduce~2~0.max_pool_3x3,1.max_pool_3x3"
FOUND = Genotype.from_line(LINE)

SEARCH = SearchResult(
    genotype=FOUND,
    score=0.9375,
    epoch=2,
    seconds=61.2,
    history=tuple(EpochRecord(epoch=epoch, metrics={"train_loss": 1 / epoch}) for epoch in (1, 2, 3)),
    events=("stopped: the budget of 60 s is spent",),
    decidedness=Decidedness(
        alphas=tuple(
            Alphas(group=group, probabilities=[[[0.5, 0.5]] * 2, [[0.45, 0.55]] * 2])
            for group in ("normal", "reduce")
        ),
        derived=0.5,
        random=(0.6, 0.4),
    ),
)


def score(name: str, accuracy: float, params: int) -> ModelScore:
    return ModelScore(
        name=name,
        genotype=None if name == "resnet" else FOUND,
        metrics={
            "accuracy": Score(value=accuracy, interval=Interval(low=accuracy - 0.01, high=accuracy + 0.01)),
            "calibration_error": Score(value=0.02, direction="minimize"),
        },
        params=params,
        macs=1_234_567,
        latency=tuple(
            LatencyResult(batch_size=size, median_ms=0.5 * size, p95_ms=0.75 * size) for size in (1, 32)
        ),
    )


EVALUATION = EvaluationResult(
    num_examples=359,
    objective="accuracy",
    device="x86_64 CPU, 2 threads",
    found=score("found", 0.985, 41_234),
    baselines=(score("random-0", 0.955, 999_600), score("resnet", 0.98, 512)),
    comparisons=(
        Comparison(baseline="random-0", difference=0.03, interval=Interval(low=0.01, high=0.05)),
        Comparison(baseline="resnet", difference=0.005, interval=Interval(low=-0.01, high=0.02)),
    ),
    tables=(
        ScoreTable(
            title="classes",
            columns=("class", "precision", "recall", "F1", "examples"),
            rows=(("odd", 1.0, 1.0, 1.0, 2), ("even", 1.0, 1.0, 1.0, 2)),
        ),
    ),
    confusion=Confusion(names=("odd", "even"), counts=((2, 0), (1, 1))),
)

REGISTRATION = RegistrationResult(
    name="digits",
    version=3,
    alias="challenger",
    uri="models:/digits@challenger",
    tracking_uri="sqlite:////runs/mlflow.db",
    mlflow_run_id="0123",
)

PAST = ModelHistory(
    name="digits",
    objective="accuracy",
    versions=(
        PastModel(
            version=1,
            when="2026-01-05T03:00:00+00:00",
            action="search",
            score=0.9,
            low=0.88,
            high=0.92,
            hours=2.0,
        ),
        PastModel(
            version=2,
            when="2026-02-02T03:00:00+00:00",
            action="retrain",
            reasons=("drift", "new_data"),
            passed=False,
            score=0.85,
            low=0.83,
            high=0.87,
            hours=0.5,
        ),
        PastModel(
            version=3,
            when="2026-02-09T03:00:00+00:00",
            action="search",
            reasons=("drift",),
            passed=True,
            score=0.93,
            low=0.91,
            high=0.95,
            hours=2.1,
        ),
    ),
    moves=(
        ChampionMove(kind="first", version=1, when="2026-01-05T03:00:00+00:00", who="register", why=""),
        ChampionMove(kind="promotion", version=3, when="2026-02-10T08:00:00+00:00", who="ann", why="better"),
    ),
)
