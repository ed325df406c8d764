"""Strategies from packages of the user's."""

from pydantic import ValidationError

from cellwright.errors import SpecError
from cellwright.importing import load_class
from cellwright.spec import Augment, CustomStrategy
from cellwright.strategies.one_shot.base import OneShotStrategy


def build_custom(section: CustomStrategy, augment: Augment, *, seed: int) -> OneShotStrategy:
    """Import the class that the section names and give it its settings; raises CellwrightError saying what is amiss."""
    strategy = load_class(section.path, OneShotStrategy)  # type: ignore[type-abstract]
    try:
        settings = strategy.settings_type.model_validate(section.settings)
    except ValidationError as error:
        lines = (
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors()
        )
        raise SpecError("\n".join(f"strategy.settings.{line}" for line in lines)) from error
    return strategy(settings, augment, seed=seed)
