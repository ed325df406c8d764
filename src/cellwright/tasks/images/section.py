"""The `augment` section of images."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cellwright.spec.task import CLASSIFICATION, LABELS, REGRESSION, TaskSection

UNSMOOTHED: Mapping[str, Any] = {"retrain": {"label_smoothing": 0.0}}

Flip = Literal["none", "horizontal", "vertical", "both"]


class ImageAugment(TaskSection):
    """Random augmentation of training images that keeps their labels valid; no mirroring by default."""

    decoder = "cellwright.tasks.images.files:decoder"
    many_epochs: ClassVar[Mapping[str, float]] = {
        "retrain.mixup": 0.2,
        "augment.erase": 0.3,
        "retrain.weight_decay": 0.2,
    }
    hand_designed = (
        "resnet",
        "conv-pool-conv-24",
        "conv-pool-conv-32",
        "conv-pool-conv-48",
        "conv-pool-conv-64",
        "shallow-resnet",
        "resnet-9",
        "wide-resnet",
        "mobilenet-v2",
        "efficientnet-v2",
        "convnext",
    )

    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.125
    """Maximum shift, as a fraction of the image's side."""
    rotate: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Maximum rotation in degrees: about 10 suits handwriting."""
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Maximum relative change of size."""
    flip: Flip = "none"
    """Mirroring; do not use it if mirrored images have another meaning, as with digits. A race mirrors images where a
    simple classifier recognises mirrored ones as well."""
    erase: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Side of a square to erase, as a fraction of the image's side."""


class ImagesSection(ImageAugment):
    """Random augmentation of training images that keeps their labels valid; no mirroring by default."""

    implementation = "cellwright.tasks.images.task:ImageClassification"
    objective = "accuracy"
    metrics = CLASSIFICATION

    task: Literal["images"] = "images"
    """The task of these keys, which is determined by `data`."""


class ImageNumbersSection(ImageAugment):
    """Images of which a number is predicted."""

    implementation = "cellwright.tasks.images.task:ImageRegression"
    objective = "r2"
    metrics = REGRESSION
    defaults = UNSMOOTHED

    task: Literal["images-regression"] = "images-regression"
    """The task of these keys, which is determined by `data`."""


class ImageLabelsSection(ImageAugment):
    """Images of which labels are predicted."""

    implementation = "cellwright.tasks.images.task:ImageMultiLabel"
    objective = "average_precision"
    metrics = LABELS
    defaults = UNSMOOTHED

    task: Literal["images-labels"] = "images-labels"
    """The task of these keys, which is determined by `data`."""
