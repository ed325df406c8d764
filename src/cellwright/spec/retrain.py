"""The `retrain` and `evaluate` sections."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.section import Section
from cellwright.spec.start import ModelAddress
from cellwright.spec.strategy import NonNegativeFloat, PositiveFloat, Precision

Share = Annotated[float, Field(ge=0, lt=1)]


class Retrain(Section):
    """How the found network, and each baseline, is trained from scratch on train and validation."""

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=64, ge=2)
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 4e-3
    """Peak of a cosine that falls to 0."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of sgd, with Nesterov's correction."""
    weight_decay: NonNegativeFloat = 0.05
    """Applied to convolutions and linear layers, not to norms and biases."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises to its peak."""
    gradient_clip: PositiveFloat | None = 5.0
    label_smoothing: Share = 0.1
    drop_path: Share = 0.1
    """Chance of dropping a path (an edge of a cell, a branch of a residual block) in the last epoch; it grows from 0 in
    proportion to the epoch."""
    ema_decay: Share | None = 0.99
    """Decay, per step, of the running average of the weights that is evaluated; null for none."""
    precision: Precision = "auto"
    """auto is bfloat16 where the device is faster with it (GPUs from Ampere on), else float32."""
    cuda_graphs: bool = True
    """Whether a GPU may replay training steps as CUDA graphs, which takes more of its memory."""
    num_cells: int | None = Field(default=None, ge=1, le=100)
    """Cells of the final network, as the space counts them; the space's by default."""
    channels: int | None = Field(default=None, ge=1)
    """Channels of the final network's first cell; the space's by default."""
    start: ModelAddress | Path | None = None
    """Where the found network, not its baselines, takes weights from that have the same names and shapes: a registered
    model such as `models:/shoes@champion`, or the folder of an earlier retrain step; null for new weights."""
    mixup: NonNegativeFloat = 0.0
    """Parameter of the Beta distribution of mixup, https://arxiv.org/abs/1710.09412; 0 for none."""


class Baseline(Section):
    """What the found network is compared with, after the same training."""

    random_architectures: int = Field(default=1, ge=0)
    """How many architectures to draw from the same space."""
    hand_designed: str | None = "resnet"
    """One of the task's hand-designed networks, with about as many parameters as the found one; null for none. For
    images it is `resnet` by default, and may be `conv-pool-conv-32`, `wide-resnet`, `mobilenet-v2` or another small
    network of the space `stages`; other tasks have their own, the first of which is the default."""
    classical: tuple[str, ...] | None = None
    """The task's rivals of another family, fitted on the same data: for tables `boosted-trees` and `linear`, for images
    none. By default all that the task has."""


class Evaluate(Section):
    """What is measured on the test split."""

    baseline: Baseline = Baseline()
    latency_batch_sizes: tuple[Annotated[int, Field(ge=1)], ...] = (1, 32)
    latency_repeats: int = Field(default=50, ge=5)
    """Timed forward passes for each batch size, after a warm-up."""
