"""The networks that people build by hand for small images, each in a size that a CPU trains in minutes."""

from torch import nn

from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.members import SMALL, resnet
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.tasks.images.task import ImageClassification

TODAY = "ResNet-14, 11 channels"
SHAPES: dict[str, Design] = {
    TODAY: resnet(11),
    "ResNet-14, 16 channels": SMALL["resnet"],
    "shallow ResNet, 32 channels": SMALL["shallow-resnet"],
    "WideResNet-10-2": SMALL["wide-resnet"],
    "ResNet-9, 16 channels": SMALL["resnet-9"],
    "conv-pool-conv 24-64-96": SMALL["conv-pool-conv-24"],
    "conv-pool-conv 32-96-128": SMALL["conv-pool-conv-32"],
    "conv-pool-conv 48-128-192": SMALL["conv-pool-conv-48"],
    "conv-pool-conv 64-192-256": SMALL["conv-pool-conv-64"],
    "MobileNetV2, small": SMALL["mobilenet-v2"],
    "EfficientNetV2, small": SMALL["efficientnet-v2"],
    "ConvNeXt, small": SMALL["convnext"],
}
"""The first is the baseline of the Fashion-MNIST benchmark."""


def build_shape(shape: str, task: ImageClassification) -> nn.Module:
    return StagesNetwork(task, SHAPES[shape])
