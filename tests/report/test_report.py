"""The HTML report: whole, self-contained, readable by machines, and never made of others' markup."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from markupsafe import escape

from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.report.html import blocks, cells, figures
from cellwright.report.html.page import render, sections
from cellwright.report.latest import LatestRun
from cellwright.report.run_report import RunReport, answer
from cellwright.report.writing import write_report
from cellwright.results import EpochRecord, Interval, SearchResult, TrainingResult
from cellwright.spaces.stages.members import resnet
from cellwright.spec import parse_spec
from cellwright.steps.running import run_until
from tests.report.results import EVALUATION, FOUND, PAST, REGISTRATION, SEARCH

HISTORY = tuple(
    EpochRecord(epoch=epoch, metrics={"train_loss": 1 / epoch, "train_accuracy": 1 - 1 / epoch})
    for epoch in (1, 2, 3)
)
TRAININGS = tuple(
    TrainingResult(name=name, genotype=FOUND, params=10, macs=20, seconds=3.0, history=HISTORY)
    for name in ("found", "resnet")
)


def report(**changes) -> RunReport:
    values = {
        "name": "digits",
        "seed": 7,
        "version": "1.0",
        "answer": answer(EVALUATION),
        "source": "digits",
        "task": "10 classes",
        "split_sizes": {"train": 1, "validation": 2, "test": 3},
        "content_hash": "00",
        "search": SEARCH,
        "trainings": TRAININGS,
        "evaluation": EVALUATION,
        "registration": REGISTRATION,
        "seconds": {"prepare": 1.0, "search": 2.0},
        "keys": {"prepare": "0" * 16, "search": "1" * 16},
    }
    return RunReport(**values | changes)


def page_of(run: RunReport) -> str:
    return render(run, sections(run))


class _Parsed(HTMLParser):
    VOID = {"meta", "img", "br", "path", "rect", "use", "!doctype"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in named and tag == "section":
            self.ids.append(named["id"])
        if tag == "a":
            self.links.append(named["href"])
        self.outside += [
            value
            for name, value in attributes
            if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:"))
        ]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_well_formed_needs_nothing_else_and_its_contents_lead_to_each_section():
    page = page_of(report())
    parsed = _Parsed(page)
    assert parsed.open == []
    assert parsed.outside == []
    assert parsed.links == [f"#{section}" for section in parsed.ids]
    assert parsed.ids == ["leaderboard", "architecture", "search", "training", "details", "data", "reproduce"]
    assert "<script" not in page


def test_equal_results_give_equal_pages():
    assert page_of(report()) == page_of(report())


def test_numbers_of_the_results_are_on_the_page():
    page = page_of(report())
    for score in (EVALUATION.found, *EVALUATION.baselines):
        assert f"{score.metrics['accuracy'].value:.4f}" in page
    assert FOUND.to_line() in page
    assert all(escape(remark) in page for remark in SEARCH.remarks)


def test_trainings_of_one_epoch_have_a_sentence_instead_of_curves():
    once = [training.model_copy(update={"history": HISTORY[:1]}) for training in TRAININGS]
    for trainings, has_curves in ((once, False), ([once[0], TRAININGS[1]], True)):
        page = page_of(report(trainings=trainings))
        section = page.partition('<section id="training"')[2].partition("</section>")[0]
        assert ("<svg" in section) == has_curves != ("there is no curve" in section)


def test_a_record_of_the_latest_run_without_its_data_is_refused_in_a_line(tmp_path):
    (tmp_path / "latest.json").write_text(
        '{"name": "a", "seed": 0, "data": "digits", "steps": {"search": "b"}}'
    )
    for read in (RunReport.of, write_report):
        with pytest.raises(
            CellwrightError, match=r"latest.json must hold a LatestRun: steps: prepare is required"
        ):
            read(tmp_path)


def test_alphas_are_drawn_for_each_group():
    page = page_of(report())
    assert all(f"alphas of {group}: the probability of each choice" in page for group in ("normal", "reduce"))


def test_a_model_of_several_versions_has_its_history_with_gates_promotions_drift_and_cost():
    page = page_of(report(history=PAST))
    assert _Parsed(page).ids[-3:] == ["history", "data", "reproduce"]
    section = page.partition('<section id="history"')[2].partition("</section>")[0]
    assert section.count("<svg") == 2
    for word in ("champion", "promoted", "refused by the gate", "drift", "search", "retrain"):
        assert f">{word}</text>" in section
    assert "<td>drift, new_data</td>" in section and "promotion 2026-02-10" in section
    alone = PAST.model_copy(update={"versions": PAST.versions[:1]})
    assert "history" not in _Parsed(page_of(report(history=alone))).ids


def test_markup_in_names_is_shown_and_not_obeyed():
    hostile = "<img src=x onerror=alert(1)>"
    page = page_of(report(name=hostile, source=hostile, task=hostile))
    assert hostile not in page
    assert page.count("&lt;img src=x") >= 3


def test_a_report_replaces_nothing_but_a_report(tmp_path):
    spec = parse_spec('{"name": "tiny", "data": {"source": "digits", "limit": 60}}')
    workspace = tmp_path / "runs/tiny"
    LatestRun.of(spec, run_until("prepare", spec, workspace, Silent())).write(workspace)
    for _ in range(2):
        assert write_report(workspace, tmp_path / "page.html") == tmp_path / "page.html"
    (tmp_path / "search.yaml").write_text("name: tiny\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nothing")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for name in ("search.yaml", "photo.jpg", "empty", "folder", "dangling"):
        with pytest.raises(CellwrightError, match=f"{name} must be a new file, or a report"):
            write_report(workspace, tmp_path / name)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert (tmp_path / "dangling").is_symlink()


def test_a_run_that_got_no_further_than_its_data_has_a_page():
    page = page_of(report(search=None, trainings=(), evaluation=None, registration=None, answer=answer(None)))
    assert _Parsed(page).ids == ["data", "reproduce"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    (
        (0.01, 0.05, "beats every baseline; the closest is random-0 (+0.0300"),
        (-0.01, 0.07, "was not shown to differ from its strongest baseline, random-0"),
    ),
)
def test_the_answer_says_what_was_shown(low, high, words):
    (first, *_) = EVALUATION.comparisons
    comparison = first.model_copy(
        update={"baseline": "random-0", "difference": 0.03, "interval": Interval(low=low, high=high)}
    )
    assert words in answer(EVALUATION.model_copy(update={"comparisons": (comparison,)}))


def test_a_cell_has_an_arc_for_each_edge():
    (cell, *_) = Genotype.from_line(FOUND.to_line()).cells.values()
    drawn = cells.draw(cell, "cell")
    assert len(re.findall('class="operation"', drawn)) == sum(map(len, cell.nodes))


def test_a_network_of_stages_has_a_block_for_each_of_its_depth():
    design = resnet(16, (2, 3, 1))
    drawn = blocks.draw(design.genotype, "<network>")
    assert drawn.count("<rect") == 1 + 2 + 3 + 1
    assert "3 × basic" in drawn and "sides 1/4" in drawn and "&lt;network&gt;" in drawn
    network = SearchResult(genotype=design.genotype, score=0.9, seconds=9.0, history=())
    assert drawn.split("aria-label")[0] in page_of(report(search=network))


@pytest.mark.parametrize("kind", ["cells", "lines"])
def test_a_figure_is_a_picture_of_its_own(kind: str):
    (cell, *_) = Genotype.from_line(FOUND.to_line()).cells.values()
    drawn = (
        cells.draw(cell, "cell") if kind == "cells" else figures.lines({"a": [(1, 2), (2, 3)]}, "x", "y", "a")
    )
    svg = ElementTree.fromstring(figures.standalone(drawn))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.find(".//{http://www.w3.org/2000/svg}style") is not None


@pytest.mark.parametrize("seconds", [0, 0.1, 200, 1e4, 3e5, 1e8])
def test_versions_of_any_distance_in_time_are_drawn(seconds: float):
    """matplotlib warned where it found no distance of ticks, and a warning is an error here."""
    first = datetime(2026, 12, 1, tzinfo=UTC)
    second = first + timedelta(seconds=seconds)
    groups = {"promoted": [(first, 0.5, 0.1)], "refused by the gate": [(second, 0.5, 0.1)]}
    assert figures.timeline(groups, [(first, 0.5)], [], "accuracy", "scores").startswith("<svg")
