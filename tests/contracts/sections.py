"""A small space of each kind: what the contracts of spaces and of supernets are checked with."""

from cellwright.spec import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space

SECTIONS: dict[str, AnySpace] = {
    "darts": DartsSpace(
        primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_5x5"),
        num_nodes=2,
        num_cells=3,
        channels=4,
    ),
    "nasbench201": NasBench201Space(kind="nasbench201", num_cells=1, channels=4),
    "chain": ChainSpace(
        kind="chain",
        primitives=("skip_connect", "nor_conv_3x3", "sep_conv_3x3", "avg_pool_3x3"),
        widths=(50, 70, 150),
        num_layers=4,
        channels=4,
    ),
    "darts-own-primitive": DartsSpace(
        primitives=("skip_connect", "my_package.ops:squeeze_excite"), num_nodes=1, num_cells=3, channels=4
    ),
    "chain-own-primitive": ChainSpace(
        kind="chain",
        primitives=("nor_conv_1x1", "my_package.ops:squeeze_excite"),
        widths=(50, 100),
        num_layers=2,
        channels=8,
    ),
    "own-space": CustomSpace(
        kind="custom",
        path="my_package.spaces:Activations",
        supernet="my_package.networks:ActivationSupernet",
        settings={"num_layers": 3, "channels": 4},
    ),
}
