"""The `strategy` and `budget` sections: how architectures are found, and at what cost."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec.sampled import AnySampled
from cellwright.spec.section import Section

PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Precision = Literal["auto", "float32", "bfloat16"]


class OneShotSection(Section):
    """What all one-shot strategies share: how the supernet's weights are trained."""

    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 0.05
    """Of the network weights, by SGD with momentum, falling to 0 along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 3e-4
    gradient_clip: PositiveFloat = 5.0
    precision: Precision = "auto"
    """bfloat16 where the device is faster with it (GPUs from Ampere on), or as said; scores are in float32."""
    cuda_graphs: bool = True
    """Whether a GPU may replay steps that compute every choice as CUDA graphs, which takes more of its memory."""
    score_examples: int = Field(default=1000, ge=1)
    """Validation examples on which candidates are compared once the weights are trained; all, where there are fewer."""


class Guard(Section):
    """What is done when a search goes wrong."""

    action: Literal["stop", "regularise", "off"] = "stop"
    """Go back to the last good epoch and stop, or begin the alphas anew where there is none; raise the alphas'
    regularisation and go on; or only watch."""
    max_skip_fraction: float = Field(default=0.8, ge=0, le=1)
    """More skip connections than this share of the derived edges are a collapse."""
    max_drop: Share | None = None
    """Most that validation accuracy may fall from the supernet to the derived network with its weights."""
    max_gap: Share | None = None
    """Most that accuracy may fall from training to validation batches."""
    strength: PositiveFloat = 5.0
    """By how much `regularise` raises the weight of the β regularisation each time."""


class AlphaSection(OneShotSection):
    """What strategies with architecture parameters (alphas) share."""

    level: Literal["single", "bilevel"] = "bilevel"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    alpha_learning_rate: PositiveFloat = 3e-3
    """Of the architecture parameters, by Adam."""
    alpha_weight_decay: NonNegativeFloat = 1e-3
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn."""
    derivation: Literal["argmax", "perturbation"] = "argmax"
    """Take the strongest choices, or those without which the supernet does worst: https://arxiv.org/abs/2108.04392."""
    tuning_steps: int = Field(default=10, ge=0)
    """Weight steps between the decisions of a derivation by perturbation."""
    guard: Guard = Guard()


class DartsStrategy(AlphaSection):
    """DARTS: https://arxiv.org/abs/1806.09055."""

    kind: Literal["darts"]
    order: Literal["first", "second"] = "first"
    """Whether alphas take the weights as they are (first), or as the next weight step would leave them (second)."""

    @model_validator(mode="after")
    def _order_suits_level(self) -> Self:
        if self.order == "second" and self.level == "single":
            raise ValueError("order must be 'first' where level is 'single', got 'second'")
        return self

    @model_validator(mode="after")
    def _precision_suits_order(self) -> Self:
        if self.order == "second" and self.precision == "bfloat16":
            raise ValueError(
                "precision must not be 'bfloat16' where order is 'second': small differences would be lost"
            )
        return self


class PcDartsStrategy(AlphaSection):
    """PC-DARTS: https://arxiv.org/abs/1907.05737."""

    kind: Literal["pc-darts"]
    warmup: float = Field(default=0.3, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn; the paper's."""
    channel_fraction: Share = 0.25
    """Share of the channels that goes through the primitives; the rest is passed on."""


class GdasStrategy(AlphaSection):
    """GDAS: https://arxiv.org/abs/1910.04465."""

    kind: Literal["gdas"]
    first_temperature: PositiveFloat = 10.0
    """Of the Gumbel softmax in the first epoch."""
    last_temperature: PositiveFloat = 0.1
    """In the last; between the two it falls in a straight line."""


class DrnasStrategy(AlphaSection):
    """DrNAS: https://arxiv.org/abs/2006.10355."""

    kind: Literal["drnas"]
    level: Literal["single", "bilevel"] = "single"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel, as in the paper,
    which leads to more skip connections where the search is short)."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    warmup: float = Field(default=0.4, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn: by drawn mixtures that takes longer."""
    anchor: NonNegativeFloat = 0.1
    """Weight of the distance between the learnt Dirichlet distributions and the uniform one.

    The paper's 0.001 is for searches of 40,000 steps: in one of a thousand, what the first epochs preferred would stand
    to the end.
    """


class BetaDartsStrategy(AlphaSection):
    """β-DARTS: https://arxiv.org/abs/2203.01665."""

    kind: Literal["beta-darts"] = "beta-darts"
    level: Literal["single", "bilevel"] = "single"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    alpha_learning_rate: PositiveFloat = 0.02
    """Of the architecture parameters, by Adam."""
    beta: NonNegativeFloat = 1.0
    """Weight of the β regularisation in the last epoch; it grows from 0 in proportion to the epoch.

    The paper's 50 is for searches of 20,000 steps: in one of a few hundred it outweighs the loss a hundredfold and
    holds the alphas where the first epoch left them.
    """


class SposStrategy(OneShotSection):
    """Single path one-shot: https://arxiv.org/abs/1904.00420."""

    kind: Literal["spos"]
    population: int = Field(default=20, ge=2)
    """Candidates of each generation."""
    generations: int = Field(default=10, ge=1)
    parents: int = Field(default=5, ge=1)
    """Best candidates so far, from which the next generation is bred."""


class RandomWsStrategy(OneShotSection):
    """Random search over shared weights: https://arxiv.org/abs/1902.07638."""

    kind: Literal["random-ws"]
    candidates: int = Field(default=200, ge=1)
    """Architectures that are drawn and scored with the shared weights."""


class EnasStrategy(OneShotSection):
    """ENAS: https://arxiv.org/abs/1802.03268."""

    kind: Literal["enas"]
    hidden: int = Field(default=64, ge=1)
    """Units of the controller, an LSTM."""
    controller_learning_rate: PositiveFloat = 3.5e-3
    """By Adam."""
    controller_steps: int = Field(default=30, ge=1)
    """Updates of the controller after each epoch of the weights."""
    samples: int = Field(default=4, ge=1)
    """Architectures that are rewarded in each update."""
    entropy_bonus: NonNegativeFloat = 1e-3
    """Weight of the controller's entropy beside the reward."""
    baseline_decay: float = Field(default=0.95, ge=0, lt=1)
    """Of the moving mean of rewards, which is subtracted from each."""
    candidates: int = Field(default=50, ge=1)
    """Architectures that the trained controller draws, of which the best is found."""


class CustomStrategy(Section):
    """A one-shot strategy from a package of the user's."""

    kind: Literal["custom"]
    path: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """Where its class is: `my_package.module:Class`."""
    settings: dict[str, Any] = {}
    """What the class's own section holds."""

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the class's path."""
        return (self.path,)


AnyOneShot = Annotated[
    DartsStrategy
    | PcDartsStrategy
    | GdasStrategy
    | DrnasStrategy
    | BetaDartsStrategy
    | SposStrategy
    | RandomWsStrategy
    | EnasStrategy
    | CustomStrategy,
    Field(discriminator="kind"),
]
AnyStrategy = Annotated[AnyOneShot | AnySampled, Field(discriminator="kind")]


class Budget(Section):
    """What the search may cost in all."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training split, of a one-shot search."""
    seeds: int = Field(default=1, ge=1)
    """How often a one-shot search is done, from another seed each time; the best on validation is taken."""
    evaluations: int = Field(default=50, ge=1)
    """Architectures that a sampled search tries; those that are infeasible or pruned untrained do not count."""
    finalists: int = Field(default=3, ge=1)
    """Best architectures of a sampled search that are scored again before one of them is called best."""
    fresh_seeds: int = Field(default=2, ge=1)
    """How often each finalist is scored again."""
    max_seconds: PositiveFloat | None = None
    """Wall time after which no further epoch or trial is begun. Results then depend on the machine's speed."""
