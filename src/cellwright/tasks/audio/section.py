"""The `augment` section of audio clips."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cellwright.spec.task import CLASSIFICATION, TaskSection
from cellwright.tasks.images.section import ImagesSection

ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]


class AudioAugment(TaskSection):
    """Random changes to training clips; the masks are those of SpecAugment, https://arxiv.org/abs/1904.08779."""

    implementation = "cellwright.tasks.audio.task:AudioClassification"
    decoder = "cellwright.tasks.audio.files:decoder"
    objective = "accuracy"
    metrics = CLASSIFICATION
    hand_designed = ImagesSection.hand_designed
    classical = ("pooled-mel",)
    defaults: ClassVar[Mapping[str, Any]] = {"space": {"kind": "stages"}}

    task: Literal["audio"] = "audio"
    """The task of these keys, which is determined by `data`."""
    shift: ShareBelowOne = 0.1
    """Largest shift in time, as a share of the length; what leaves at one end is lost, and silence follows."""
    gain: Annotated[float, Field(ge=0, le=40)] = 6.0
    """Largest change of loudness, in decibels."""
    noise: ShareBelowOne = 0.01
    """Largest standard deviation of added noise, as a share of the clip's own."""
    time_mask: ShareBelowOne = 0.1
    """Longest stretch of silence, as a share of the length."""
    frequency_mask: ShareBelowOne = 0.2
    """Widest band of frequencies that is removed, as a share of the mel scale."""
