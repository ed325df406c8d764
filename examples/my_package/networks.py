"""The supernet of the space, and the network of one genotype.

Both give their layers the same names, so that the network inherits the supernet's weights without further code.
"""

from torch import Tensor, nn, relu, tanh

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.primitives import Norm
from cellwright.spaces.networks import Networks
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.tasks.base import Task
from my_package.spaces import ACTIVATIONS, Activations, ActivationsSection

FUNCTIONS = {"relu": relu, "silu": nn.functional.silu, "tanh": tanh}


class Stack(nn.Module):
    """Convolutions and head; what comes between is up to a subclass."""

    def __init__(self, task: Task, space: Activations, channels: int) -> None:
        super().__init__()
        self.task, self.space, self.channels = task, space, channels
        widths = [task.map_shape[0]] + [channels] * space.num_layers
        self.adapter = task.adapter()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, width, 3, padding=1, bias=False), Norm(width, affine=True))
            for before, width in zip(widths, widths[1:], strict=False)
        )
        self.head = task.head(channels)

    def outputs(self, x_BCHW: Tensor) -> Tensor:
        """Return what the head makes of the last layer's map."""
        outputs: Tensor = self.head(x_BCHW.mean(dim=(2, 3)))
        return outputs


class ActivationNetwork(Stack):
    """The network of one genotype."""

    def __init__(self, task: Task, space: Activations, channels: int, genotype: Genotype) -> None:
        super().__init__(task, space, channels)
        self.functions = [FUNCTIONS[ACTIVATIONS[i]] for i in space.taken(genotype)["activation"]]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the outputs for raw inputs."""
        x_BCHW = self.adapter(*inputs)
        for layer, function in zip(self.layers, self.functions, strict=True):
            x_BCHW = function(layer(x_BCHW))
        return self.outputs(x_BCHW)


class ActivationSupernet(Stack, Supernet):
    """All activations after every layer, each times its weight in the mixture."""

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return outputs for raw inputs, computing what is active alone."""
        everything = [range(len(ACTIVATIONS))] * len(self.layers)
        chosen = active["activation"] if active else everything
        x_BCHW = self.adapter(*inputs)
        for layer, weights, choices in zip(self.layers, mixture["activation"], chosen, strict=True):
            y_BCHW = layer(x_BCHW)
            x_BCHW = sum(weights[i] * FUNCTIONS[ACTIVATIONS[i]](y_BCHW) for i in choices)
        return self.outputs(x_BCHW)

    def network(self, genotype: Genotype) -> ActivationNetwork:
        """Return the genotype's network, with initial weights."""
        return ActivationNetwork(self.task, self.space, self.channels, genotype)


class ActivationNetworks(Networks):
    """What the space's section names; the network of a genotype is the one that the supernet knows."""

    def supernet(
        self, section: ActivationsSection, task: Task, *, channel_fraction: float
    ) -> ActivationSupernet:
        """Return the supernet."""
        return ActivationSupernet(task, Activations.of(section), section.channels)
