from cellwright.genotype import Cell, Edge
from cellwright.report.drawing import draw_cell


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
