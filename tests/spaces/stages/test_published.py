"""Published networks are members: as many parameters, and with the weights of timm's network its logits."""

from collections.abc import Iterator

import pytest
import timm
import torch
from torch import Tensor, nn

from cellwright.nn.cost import count_params
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.members import PUBLISHED
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.tasks.images.task import ImageClassification
from cellwright.testing.images import numbered_images

IN_TIMM = {
    "ResNet-18": ("resnet18", 11_689_512),
    "ResNet-50": ("resnet50", 25_557_032),
    "MobileNetV2": ("mobilenetv2_100", 3_504_872),
    "MobileNetV3-L": ("mobilenetv3_large_100", 5_483_032),
    "EfficientNet-B0": ("efficientnet_b0", 5_288_548),
    "EfficientNet-Lite0": ("efficientnet_lite0", 4_652_008),
    "EfficientNetV2-S": ("efficientnetv2_s", 21_458_488),
    "RegNetY-400MF": ("regnety_004", 4_344_144),
    "ConvNeXt-T": ("convnext_tiny", 28_589_128),
}


def task(side: int, num_classes: int) -> ImageClassification:
    return numbered_images((3, side, side), num_classes)


@pytest.mark.parametrize("name", IN_TIMM)
def test_a_published_network_is_a_member(name: str):
    model, params = IN_TIMM[name]
    design = Design.of(PUBLISHED[name].genotype)
    with torch.device("meta"):
        theirs, ours = timm.create_model(model), StagesNetwork(task(32, 1000), design)
    theirs, ours = theirs.to_empty(device="cpu").eval(), ours.to_empty(device="cpu").eval()
    ours.adapter = nn.Identity()
    assert count_params(ours) == params
    x_B3HW = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    fill(theirs)
    copy(theirs, ours, x_B3HW)
    with torch.inference_mode():
        expected, logits = theirs(x_B3HW), ours(x_B3HW)
    assert expected.std() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_the_wide_resnet_has_as_many_parameters_as_its_authors_say():
    with torch.device("meta"):
        assert count_params(StagesNetwork(task(32, 10), PUBLISHED["WRN-28-10"])) == 36_479_194


def fill(network: nn.Module) -> None:
    """Give every weight and statistic a value, weights so that maps keep their scale."""
    rng = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():
        if tensor.ndim > 1:
            tensor.uniform_(-1, 1, generator=rng).mul_((3 / tensor[0].numel()) ** 0.5)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=rng)


def copy(source: nn.Module, target: nn.Module, x_B3HW: Tensor) -> None:
    """Copy all state, from layer to layer in the order in which the networks compute them."""
    sources, targets = list(computed(source, x_B3HW)), list(computed(target, x_B3HW))
    assert len(sources) == len(targets)
    for of_source, of_target in zip(sources, targets, strict=True):
        for given, taken in zip(of_source, of_target, strict=True):
            taken.copy_(given.view_as(taken))
    scales = [block.gamma for block in source.modules() if isinstance(getattr(block, "gamma", None), Tensor)]
    branches = [
        module.scale for module in target.modules() if isinstance(getattr(module, "scale", None), Tensor)
    ]
    for given, taken in zip(scales, branches, strict=True):
        taken.data.copy_(given)


def computed(network: nn.Module, x_B3HW: Tensor) -> Iterator[list[Tensor]]:
    """Yield the weights and statistics of each convolution, norm and linear layer, in the order of a pass."""
    layers: list[nn.Module] = []
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.LayerNorm, nn.Linear)
    hooks = [
        module.register_forward_pre_hook(lambda module, _: layers.append(module))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    with torch.inference_mode():
        network(x_B3HW)
    for hook in hooks:
        hook.remove()
    yield from (
        [tensor.detach() for tensor in layer.state_dict().values() if tensor.is_floating_point()]
        for layer in layers
    )
