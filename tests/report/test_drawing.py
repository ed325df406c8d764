from rich.console import Console

from cellwright.genotype import Cell, Edge
from cellwright.report.drawing import draw_cell, draw_genotype
from cellwright.spaces.stages.members import PUBLISHED


def test_a_cell_shows_what_each_node_sums():
    cell = Cell(
        num_inputs=2,
        nodes=(
            (Edge(0, "sep_conv_3x3"), Edge(1, "skip")),
            (Edge(2, "skip"),),
            (Edge(1, "skip"), Edge(2, "skip"), Edge(3, "skip")),
        ),
    )
    assert draw_cell(cell).plain.splitlines() == [
        "input 0 ─sep_conv_3x3──┬▶ node 0",
        "input 1 ─────skip──────┘ ",
        " node 0 ─────skip───────▶ node 1",
        "input 1 ─────skip──────┬ ",
        " node 0 ─────skip──────┤▶ node 2",
        " node 1 ─────skip──────┘ ",
    ]


def test_a_node_shows_its_width():
    cell = Cell(
        num_inputs=1, nodes=((Edge(0, "skip"),), (Edge(0, "skip"), Edge(1, "skip"))), widths=(50, 100)
    )
    assert draw_cell(cell).plain.splitlines() == [
        "input 0 ─skip───▶ node 0, 50 %",
        "input 0 ─skip──┬▶ node 1, 100 %",
        " node 0 ─skip──┘ ",
    ]


def test_a_cell_without_edges_is_drawn():
    assert draw_cell(Cell(num_inputs=1, nodes=())).plain == ""


def test_a_network_of_stages_is_a_table_of_stages():
    console = Console(width=100)
    with console.capture() as capture:
        console.print(draw_genotype(PUBLISHED["MobileNetV3-L"].genotype))
    lines = [" ".join(line.split()) for line in capture.get().splitlines()]
    assert "stem conv3-2 16 1/2" in lines
    assert "stage 1 mbconv 3×3 1 16 1/2" in lines
    assert "stage 4 mbconv 5×5 3 40 1/8 ×3 inside, squeeze-excitation 0.25" in lines
    assert "last convolution 1×1 960 1/32" in lines
    assert "head average pooling hard-swish, then 1280 hidden units" in lines
