"""The `retrain` and `evaluate` sections."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.section import Section
from cellwright.spec.start import ModelAddress
from cellwright.spec.strategy import NonNegativeFloat, PositiveFloat, Precision

ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]


class Retrain(Section):
    """Training of the found network and each baseline, from scratch on train and validation."""

    epochs: int = Field(default=60, ge=1)
    """Passes over the training data."""
    batch_size: int = Field(default=64, ge=2)
    """Examples in each step."""
    optimizer: Literal["sgd", "adamw"] = "adamw"
    """SGD with momentum, or AdamW."""
    learning_rate: PositiveFloat = 4e-3
    """Peak learning rate, which decays to 0 along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of sgd, with Nesterov's correction."""
    weight_decay: NonNegativeFloat = 0.05
    """Applied to convolutions and linear layers, not to norms, biases and tables of embeddings."""
    warmup: ShareBelowOne = 0.05
    """Fraction of the steps in which the learning rate rises to its peak."""
    gradient_clip: PositiveFloat | None = 5.0
    """Maximum norm of the gradient; a longer one is scaled down to it. Null for no limit."""
    label_smoothing: ShareBelowOne = 0.1
    """Share of each label that is spread evenly over all classes."""
    drop_path: ShareBelowOne = 0.1
    """Probability of dropping a path (an edge of a cell, a branch of a residual block) in the last epoch; it grows
    linearly from 0."""
    ema_decay: ShareBelowOne | None = 0.99
    """Decay per step of the moving average of the weights, which is evaluated; null for none."""
    precision: Precision = "auto"
    """`auto` is bfloat16 if the device is faster with it (GPUs since Ampere), otherwise float32."""
    cuda_graphs: bool = True
    """Whether a GPU may replay training steps as CUDA graphs, which use more of its memory."""
    num_cells: int | None = Field(default=None, ge=1, le=100)
    """Number of cells of the final network, as defined by the space; the space's own value by default."""
    channels: int | None = Field(default=None, ge=1)
    """Channels of the final network's first cell; the space's own value by default."""
    start: ModelAddress | Path | None = None
    """Pretrained weights for the found network, but not for its baselines, matched by name and shape: a registered
    model such as `models:/shoes@champion`, or the folder of an earlier retrain step; null for random weights."""
    mixup: NonNegativeFloat = 0.0
    """Parameter of the Beta distribution of mixup, https://arxiv.org/abs/1710.09412; 0 for none."""


class Baseline(Section):
    """Baselines of the found network, trained in the same way."""

    random_architectures: int = Field(default=1, ge=0)
    """Number of random architectures from the same space."""
    hand_designed: str | None = "resnet"
    """One of the task's hand-designed networks, with about as many parameters as the found one; null for none. For
    images, it is `resnet` by default, and may be `conv-pool-conv-32`, `wide-resnet`, `mobilenet-v2` or another small
    network of the space `stages`. Other tasks have their own networks, of which the first is the default."""
    classical: tuple[str, ...] | None = None
    """Models of the task that are not neural networks, fitted on the same data: `boosted-trees` and `linear` for
    tables, none for images. By default, all of the task's."""


class Evaluate(Section):
    """Measurements on the test split."""

    baseline: Baseline = Baseline()
    """The networks and models that the found network is compared with."""
    latency_batch_sizes: tuple[Annotated[int, Field(ge=1)], ...] = (1, 32)
    """Batch sizes for which the latency is measured."""
    latency_repeats: int = Field(default=50, ge=5)
    """Number of timed forward passes for each batch size, after a warm-up."""
