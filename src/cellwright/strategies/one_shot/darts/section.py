"""The `strategy` section of darts."""

from typing import Literal, Self

from pydantic import model_validator

from cellwright.spec.strategy import AlphaSection


class DartsStrategySection(AlphaSection):
    """DARTS: https://arxiv.org/abs/1806.09055."""

    implementation = "cellwright.strategies.one_shot.darts.strategy:Darts"

    kind: Literal["darts"]
    order: Literal["first", "second"] = "first"
    """`first`: the alphas' gradients use the current weights. `second`: they use the weights after the next step."""

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
