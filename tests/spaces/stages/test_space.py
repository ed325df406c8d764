import random
from dataclasses import replace
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError, SpecError
from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.networks import build_supernet
from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.section import StageChoices, StagesSection
from cellwright.spaces.stages.space import Stages
from cellwright.spec import load_spec

SECTION = StagesSection(
    kind="stages",
    stages=(
        StageChoices(block=("basic", "mbconv"), width=(16, 32, 64)),
        StageChoices(block=("basic",), width=(32, 64), depth=(0, 1)),
    ),
)
SPACE = Stages.of(SECTION)
DESIGN = Design(stem_width=16, stages=(Stage(block="basic", width=32), Stage(block="basic", width=64)))


def test_a_design_and_its_genotype_are_two_forms_of_one_thing():
    design = replace(
        DESIGN, stages=(Stage(block="mbconv", width=32, expansion=2.3, squeeze=0.25), *DESIGN.stages)
    )
    assert Design.of(design.genotype) == design
    assert Genotype.from_line(design.genotype.to_line()) == design.genotype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be a number of at least 1, got 0"),
        ({"width": 12.5}, "width must be a whole number, got 12.5"),
        ({"block": "conv"}, "block must be among plain"),
    ],
)
def test_a_design_says_what_is_wrong_with_it(change: dict, message: str):
    with pytest.raises(GenotypeError, match=message):
        replace(DESIGN.stages[0], **change)


@pytest.mark.parametrize(
    "line",
    [
        "stages:cell~1~0.stem-conv3",
        DESIGN.genotype.to_line().replace("0.depth-1~", "", 1),
        DESIGN.genotype.to_line().replace("width-32", "width-abc"),
        DESIGN.genotype.to_line().replace("width-32", "width-032"),
        DESIGN.genotype.to_line().replace("stage-02", "stage-03"),
    ],
)
def test_what_is_no_network_of_stages_is_refused(line: str):
    genotype = Genotype.from_line(line)
    with pytest.raises(GenotypeError):
        Design.of(genotype)
    assert not SPACE.contains(genotype)


def test_a_choice_that_there_is_not_is_named():
    wider = replace(DESIGN, stages=(replace(DESIGN.stages[0], width=48), DESIGN.stages[1]))
    with pytest.raises(GenotypeError, match=r"stage-01: width must be in \[16, 32, 64\], got 48"):
        SPACE.check(wider.genotype)


def test_what_changes_nothing_is_not_part_of_the_isomorphism_key():
    basic, mbconv = Stage(block="basic", width=32), Stage(block="mbconv", width=32)

    def key(*stages: Stage, halving: str = "stride") -> str:
        return SPACE.isomorphism_key(replace(DESIGN, stages=stages, halving=halving).genotype)

    assert key(basic) == key(replace(basic, expansion=6)) == key(basic, replace(mbconv, depth=0))
    assert key(basic) == key(basic, halving="max") != key(replace(basic, stride=2), halving="max")
    assert key(mbconv) != key(replace(mbconv, expansion=6))


def test_numbers_are_encoded_in_order():
    def encoded(width: int) -> tuple[float, ...]:
        return SPACE.encode(
            replace(DESIGN, stages=(replace(DESIGN.stages[0], width=width), DESIGN.stages[1])).genotype
        )

    narrow, middle, wide = map(encoded, (16, 32, 64))
    (place,) = (index for index, (a, b) in enumerate(zip(narrow, wide, strict=True)) if a != b)
    assert (narrow[place], wide[place]) == (0, 1)
    assert 0.4 < middle[place] < 0.6


def test_the_nearest_genotype_takes_the_nearest_numbers_and_fills_in_stages_of_no_depth():
    design = Design(stem_width=18, stages=(Stage(block="mbconv", width=50, depth=9),))
    near = Design.of(SPACE.nearest(design.genotype))
    assert (near.stem_width, len(near.stages), near.stages[1].depth) == (16, 2, 0)
    assert (near.stages[0].width, near.stages[0].depth) == (64, 4)
    inside = SPACE.sample(random.Random(0))
    assert SPACE.nearest(inside) == inside


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (replace(DESIGN, stages=(Stage(block="plain", width=16),)), "stage-01: block must be in"),
        (replace(DESIGN, stages=DESIGN.stages * 2), "at most 2 stages, got stage-04"),
    ],
)
def test_a_network_of_another_kind_has_no_nearest_one(design: Design, message: str):
    with pytest.raises(GenotypeError, match=message):
        SPACE.nearest(design.genotype)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("strategy: {kind: gdas}", "space.kind stages has no supernet, which gdas trains"),
        (
            "strategy: {kind: random}\nestimators: [{kind: shared-weights}]",
            "estimators must be without shared-weights",
        ),
    ],
)
def test_what_needs_a_supernet_is_refused_when_the_spec_is_read(section: str, message: str, tmp_path: Path):
    spec = tmp_path / "search.yaml"
    spec.write_text(f"name: a\ndata: {{source: digits}}\nspace: {{kind: stages}}\n{section}")
    with pytest.raises(SpecError, match=message):
        load_spec(spec)


def test_there_is_no_supernet(tiny_task):
    with pytest.raises(CellwrightError, match="space.kind stages has no supernet"):
        build_supernet(SECTION, tiny_task)
