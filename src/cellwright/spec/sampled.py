"""The `strategy` sections of sampled search, which evaluates architectures one by one."""

from typing import Literal

from cellwright.spec._section import Section


class SampledSection(Section):
    """What all sampled strategies share."""


class RandomSearchStrategy(SampledSection):
    """Random search: the baseline."""

    kind: Literal["random"]


AnySampled = RandomSearchStrategy
