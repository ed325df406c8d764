"""What a spec says about images."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.task import TaskSection


class ImagesSection(TaskSection):
    """Random changes to training images that leave their label true; none mirrors by default."""

    implementation = "cellwright.tasks.images.task:ImageClassification"
    objective = "accuracy"
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

    task: Literal["images"] = "images"
    """The task that these keys are for, which follows from `data`."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.125
    """Largest shift, as a share of the image's side."""
    rotate: Annotated[float, Field(ge=0, le=45)] = 10.0
    """Largest rotation in degrees."""
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest relative change of size."""
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    """Mirroring; leave it off where a mirrored image means something else, as a digit does."""
    erase: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Side of a square that is blanked, as a share of the image's side."""
