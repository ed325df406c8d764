"""Model cards: what they say, and that text of others is no markup in them."""

import re
from pathlib import Path

import pytest

from cellwright.report.card import LONGEST, ModelCard, loading, markdown
from cellwright.report.checklist import checklist
from cellwright.results import Confusion, InputInfo, ModelInfo, OutputInfo
from cellwright.spec import SearchSpec
from tests.report.results import EVALUATION, FOUND
from tests.report.test_report import report

README = Path(__file__).parents[2] / "README.md"
SPEC = SearchSpec.model_validate({"name": "digits", "seed": 7, "data": {"source": "digits"}})
INPUT = InputInfo(name="images", shape=(1, 8, 8), dtype="uint8", meaning="pixels")
MODEL = ModelInfo(
    cellwright="1.0",
    genotype=FOUND,
    inputs=(INPUT,),
    output=OutputInfo(name="logits", meaning="a logit for each class"),
    class_names=("odd", "even"),
    task={},
)


def card(model: ModelInfo = MODEL, **changes) -> ModelCard:
    return ModelCard.of(
        SPEC,
        report(**changes),
        model,
        tracking_uri="http://ann:secret@mlflow.test",
        digests={"model.safetensors": "0" * 64},
    )


def test_a_card_says_what_it_is_from_how_good_it_is_and_how_to_load_it():
    text = markdown(card())
    for wanted in (
        "# digits",
        "- takes images, uint8 [1, 8, 8]: pixels",
        "- classes: odd, even",
        "It is weakest on even: 50.0%",
        "Fewer than 30 test examples, so scores say little: odd, even.",
        "| found | 0.9850 | 0.9750 to 0.9950 | 41.2 k |",
        "| resnet | 0.9800 |",
        "1 train, 2 validation, 3 test",
        "strategy beta-darts",
        "budget epochs 20, seeds 1, seed 7: 3 epochs of a supernet in 61 s",
        FOUND.to_line(),
        f"- model.safetensors: {'0' * 64}",
        "http://mlflow.test",
    ):
        assert wanted in text, wanted
    assert "secret" not in text
    assert ModelCard.model_validate_json(card().model_dump_json()) == card()


def test_it_has_the_three_lines_of_the_readme_and_says_what_they_take():
    lines = re.findall(r"^      ((?:import )?mlflow.*)$", README.read_text(), re.MULTILINE)
    assert len(lines) == 3
    assert list(loading("sqlite:///runs/mlflow.db", "models:/shoes@champion")) == lines
    columns = MODEL.model_copy(update={"columns": (INPUT,)})
    several = MODEL.model_copy(update={"inputs": (INPUT, INPUT)})
    for model, taken in ((MODEL, "an array"), (columns, "a pandas data frame"), (several, "a dictionary")):
        assert f"`examples` is {taken}" in markdown(card(model))


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a|b", "[x](http://y)", "**bold**", "a\n# head"]
)
def test_text_of_others_is_no_markup(name: str):
    hostile = EVALUATION.model_copy(
        update={"confusion": Confusion(names=(name, "even"), counts=((2, 0), (1, 1)))}
    )
    text = markdown(
        card(MODEL.model_copy(update={"class_names": (name, "even")}), source=name, evaluation=hostile)
    )
    assert name not in text
    assert "<script" not in text


def test_a_card_is_cut_to_what_mlflow_keeps():
    names = tuple(f"class number {number} with a long name {'x' * 200}" for number in range(300))
    long = EVALUATION.model_copy(
        update={"confusion": Confusion(names=names, counts=tuple((1,) * 300 for _ in names))}
    )
    text = markdown(card(MODEL.model_copy(update={"class_names": names}), evaluation=long))
    assert len(text) <= LONGEST
    assert text.endswith("… the rest is in card.json")


def test_it_answers_the_checklist_for_research_on_architecture_search():
    answers = {answer.question: answer for answer in card().checklist}
    assert len(answers) == 16
    random = next(answer for question, answer in answers.items() if "random search" in question)
    names = [score.name for score in EVALUATION.baselines]
    assert random.met == ("partly" if any(name.startswith("random-") for name in names) else "no")
    seeds = next(answer for question, answer in answers.items() if "several runs" in question)
    assert (seeds.met, seeds.answer) == ("no", "one, with seed 7")
    several = SPEC.model_copy(update={"budget": SPEC.budget.model_copy(update={"seeds": 3})})
    assert any(answer.answer == "3 searches from seed 7 on" for answer in checklist(several, report()))
