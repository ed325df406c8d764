"""The `policy` section: what a scheduled run does."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec.location import Location
from cellwright.spec.section import Section

Work = Literal["retrain", "search"]
"""`retrain`: train the champion's architecture on the new data. `search`: search again."""
Level = Annotated[float, Field(gt=0, lt=0.5)]


class NewData(Section):
    """The data has more or fewer examples than that of the champion."""

    share: float = Field(default=0.1, ge=0)
    """By what share of them; with 0 any other content counts."""
    then: Work = "retrain"
    """What it asks for: to retrain the champion's architecture, or to search again."""


class LabelShift(Section):
    """The targets are distributed otherwise: chi-squared test of classes, Kolmogorov-Smirnov test of numbers."""

    level: Level = 0.001
    """The highest probability that this is found where nothing changed, of one run."""
    then: Work = "retrain"
    """What it asks for: to retrain the champion's architecture, or to search again."""


class Drift(Section):
    """Features of the inputs are distributed otherwise.

    Numbers are compared by the Kolmogorov-Smirnov test, categories by the chi-squared test, each feature alone, and the
    p-values are corrected for their number as in Benjamini and Hochberg 1995. Where the earlier version has
    `register.data_summary: rows`, a classifier also tries to tell the examples of then and now apart.
    """

    level: Level = 0.001
    """The highest probability that drift is found where nothing changed, of one run and all features together."""
    then: Work = "search"
    """What it asks for: to retrain the champion's architecture, or to search again."""


class Age(Section):
    """No version was searched for a long time."""

    days: float = Field(default=45, gt=0)
    """How long ago the last search was."""
    then: Work = "search"
    """What it asks for: to retrain the champion's architecture, or to search again."""


class ScoreDrop(Section):
    """The champion's score on the new validation examples is below the best of the versions since the last search."""

    drop: float = Field(default=0.02, ge=0)
    """By how much of the task's objective, beyond chance."""
    level: Level = 0.01
    """The highest probability that a smaller drop is taken for one."""
    then: Work = "retrain"
    """With `retrain`, a drop that a retrained version did not mend asks for a search."""


class Live(Section):
    """A metric of the champion in use is too low or too high."""

    metric: str
    """Its name where it is read from."""
    read_from: Literal["mlflow"] | Location = "mlflow"
    """Where it is: `mlflow`, its last value in the champion's run; or a JSON object of metrics by name, as a file or
    `s3://BUCKET/KEY`."""
    at_least: float | None = None
    """The lowest value that asks for nothing."""
    at_most: float | None = None
    """The highest value that asks for nothing."""
    then: Work = "search"
    """What it asks for: to retrain the champion's architecture, or to search again."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least or at_most is required")
        return self


class Served(Section):
    """The champion predicts other classes in use than it did on its test split: chi-squared test.

    Days of the week and hours of the day count as drift too if the recorded time is shorter than they need to come
    round.
    """

    read_from: Location
    """Where it is: `statistics.jsonl` of `cellwright serve --record`, as a file or `s3://BUCKET/KEY`."""
    level: Level = 0.001
    """The highest probability that this is found where nothing changed, of one run."""
    then: Work = "search"
    """What it asks for: to retrain the champion's architecture, or to search again."""


class Policy(Section):
    """What a scheduled run does: nothing, retrain the champion's architecture, or search again.

    Each section is a reason for work, and `null` switches it off. The run does the most that a reason asks for and that
    the month's hours allow, and never again what was done on the same data. Without a champion it searches.
    """

    new_data: NewData | None = NewData()
    """Another number of examples."""
    label_shift: LabelShift | None = LabelShift()
    """Another distribution of the targets."""
    drift: Drift | None = Drift()
    """Another distribution of the inputs."""
    score: ScoreDrop | None = ScoreDrop()
    """A worse score of the champion on new examples."""
    age: Age | None = Age()
    """The time since the last search."""
    live: Live | None = None
    """A metric of the champion in use."""
    served: Served | None = None
    """Another distribution of the champion's predictions in use."""
    retry_days: float = Field(default=14, ge=0)
    """How many days new data is compared with that of a version that did not become the champion; later with that of
    the champion again, so that what the version was made for is tried again."""
    hours_per_month: float | None = Field(default=None, gt=0)
    """Hours of runs of the MLflow experiment in a calendar month, in UTC; null for no limit. Of a step with several
    GPUs, its trials' included, those of each count. What work will cost is taken from the runs before."""
    weights: Literal["scratch", "champion"] = "scratch"
    """What retraining starts from. The champion may have been trained on some of the new test examples, so with its
    weights a new version may look better than it is."""
