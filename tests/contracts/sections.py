"""A small space of each kind: what the contracts of spaces and of supernets are checked with."""

from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.dense.section import DenseSection
from cellwright.spaces.kernels.section import KernelsSection
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.stages.section import StageChoices, StagesSection
from cellwright.spaces.tokens.section import TokensSection
from cellwright.spec import SPACES, SpaceSection

SECTIONS: dict[str, SpaceSection] = {
    "darts": DartsSection(
        primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_5x5"),
        num_nodes=2,
        num_cells=3,
        channels=4,
    ),
    "nasbench201": NasBench201Section(kind="nasbench201", num_cells=1, channels=4),
    "chain": ChainSection(
        kind="chain",
        primitives=("skip_connect", "nor_conv_3x3", "sep_conv_3x3", "avg_pool_3x3"),
        widths=(50, 70, 150),
        num_layers=4,
        channels=4,
    ),
    "stages": StagesSection(
        kind="stages",
        stem=("conv2", "conv3", "patch2"),
        stem_width=(4, 8),
        activation=("relu", "hard-swish"),
        resolution=(75, 100),
        last=(0, 8),
        stages=(
            StageChoices(width=(4, 8), kernel=(3, 5), group=(0, 4)),
            StageChoices(width=(8, 12), depth=(0, 1, 2), expansion=(1, 2.5)),
        ),
    ),
    "kernels": KernelsSection(kind="kernels", sizes=(1, 3, 5), dilations=(1, 2), num_blocks=2, channels=4),
    "dense": DenseSection(
        kind="dense", embeddings=("plain",), widths=(50, 100), num_layers=2, channels=8, members=3
    ),
    "tokens": TokensSection(
        kind="tokens", layers=("skip", "conv1", "conv3", "max3", "attention"), widths=(50, 100), channels=8
    ),
    "darts-own-primitive": DartsSection(
        primitives=("skip_connect", "my_package.ops:squeeze_excite"), num_nodes=1, num_cells=3, channels=4
    ),
    "chain-own-primitive": ChainSection(
        kind="chain",
        primitives=("nor_conv_1x1", "my_package.ops:squeeze_excite"),
        widths=(50, 100),
        num_layers=2,
        channels=8,
    ),
    "own-space": SPACES.validate(
        {"kind": "my_package.spaces:ActivationsSection", "num_layers": 3, "channels": 4}
    ),
}
