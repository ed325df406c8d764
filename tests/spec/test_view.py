import pytest

from cellwright.spec import SearchSpec
from cellwright.spec.view import only, parse_view, without


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec.model_validate(
        {"name": "a", "seed": 3, "data": {"source": "digits"}, "retrain": {"epochs": 7}}
    )


def test_a_view_has_what_it_is_given_and_refuses_the_rest(spec: SearchSpec):
    view = only(spec, ["seed", "retrain.epochs"])
    assert (view.seed, view.retrain.epochs) == (3, 7)
    for read in (lambda: view.name, lambda: view.retrain.learning_rate):
        with pytest.raises(LookupError, match="is read, and not in this view"):
            read()


def test_a_whole_section_counts_more_than_a_part_of_it(spec: SearchSpec):
    assert only(spec, ["retrain.epochs", "retrain"]).retrain == spec.retrain
    with pytest.raises(LookupError):
        without(spec, ["retrain.epochs", "retrain"]).retrain.epochs  # noqa: B018


def test_what_a_view_leaves_out_is_nowhere_else(spec: SearchSpec):
    view = without(spec, ["name", "retrain.start"])
    with pytest.raises(LookupError):
        view.retrain.start  # noqa: B018
    assert "name" not in view.model_dump() and "start" not in view.model_dump()["retrain"]
    assert spec.name == "a" and spec.retrain.start is None


def test_a_view_stays_one_when_it_is_changed_or_written_and_read(spec: SearchSpec):
    view = only(spec, ["seed", "retrain", "register_"])
    for copy in (view.tuned({"retrain.epochs": 9}), parse_view(view.model_dump_json(by_alias=True))):
        assert copy.__dict__.keys() == {"seed", "retrain", "register_"}
        with pytest.raises(LookupError):
            copy.name  # noqa: B018
    assert parse_view(view.model_dump_json(by_alias=True)) == view
    assert parse_view(spec.model_dump_json(by_alias=True)) == spec
