"""Strategies from packages of the user's."""

import importlib

from pydantic import ValidationError

from cellwright.errors import SpecError
from cellwright.spec import Augment, CustomStrategy
from cellwright.strategies._base import OneShotStrategy


def build_custom(section: CustomStrategy, augment: Augment, *, seed: int) -> OneShotStrategy:
    """Import the class that the section names and give it its settings; raises SpecError saying what is amiss."""
    module, _, name = section.path.partition(":")
    try:
        strategy = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"strategy.path: {section.path!r} cannot be imported: {error}") from error
    if not (isinstance(strategy, type) and issubclass(strategy, OneShotStrategy)):
        raise SpecError(f"strategy.path: {section.path!r} must be a subclass of OneShotStrategy")
    try:
        settings = strategy.settings_type.model_validate(section.settings)
    except ValidationError as error:
        lines = (
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors()
        )
        raise SpecError("\n".join(f"strategy.settings.{line}" for line in lines)) from error
    return strategy(settings, augment, seed=seed)
