import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.candidate import Candidate
from cellwright.genotype import GenotypeError
from cellwright.spaces import build_space
from tests.contracts.sections import SECTIONS

GENOTYPES = st.builds(
    lambda name, seed: build_space(SECTIONS[name]).sample(random.Random(seed)),
    st.sampled_from(["darts", "nasbench201", "chain"]),
    st.integers(0, 1000),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=6,
)
NAMES = st.from_regex(r"[a-z0-9_]+(\.[a-z0-9_]+)*", fullmatch=True)
CANDIDATES = st.builds(Candidate, genotype=GENOTYPES, values=st.dictionaries(NAMES, VALUES, max_size=3))
LINE = "chain:cell~1~50,0.nor_conv_3x3"


@given(CANDIDATES)
def test_a_line_is_shell_safe_and_reads_back(candidate: Candidate):
    assert re.fullmatch(r"[A-Za-z0-9_.:,~-]+", candidate.line)
    back = Candidate.from_line(candidate.line)
    assert back == candidate
    assert (back.genotype, back.values) == (candidate.genotype, candidate.values)


@given(GENOTYPES)
def test_without_values_the_line_is_the_genotypes(genotype):
    assert Candidate(genotype=genotype).line == genotype.to_line()


def test_values_are_written_in_the_order_of_their_names():
    genotype = Candidate.from_line(LINE).genotype
    candidate = Candidate(genotype=genotype, values={"retrain.loss": "a b", "augment.shift": 0.1})
    assert candidate.line == f"{LINE}::augment.shift,0.1:retrain.loss,~22a~20b~22"


def test_what_json_distinguishes_differs():
    genotype = Candidate.from_line(LINE).genotype
    told = {Candidate(genotype=genotype, values={"a": value}) for value in (1, 1.0, True, "1")}
    assert len(told) == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("", "values must be NAME,VALUE:… with each value JSON, got ''"),
        ("a", "values must be NAME,VALUE:… with each value JSON, got 'a'"),
        ("a,1,2", "values must be NAME,VALUE:… with each value JSON, got 'a,1,2'"),
        ("a,1:", "values must be NAME,VALUE:… with each value JSON, got 'a,1:'"),
        ("a,x", "values must be NAME,VALUE:… with each value JSON, got 'a,x'"),
        ("a,1.50", "values must be written 'a,1.5', got 'a,1.50'"),
        ("a,1:a,1", "values must be written 'a,1', got 'a,1:a,1'"),
        ("b,1:a,1", "values must be written 'a,1:b,1', got 'b,1:a,1'"),
        ("a,~2", "values must be NAME,VALUE:… with each value JSON, got 'a,~2'"),
        ("a,NaN", "a must be a JSON value, got nan"),
        ("A,1", r"names of hyperparameters must match [a-z0-9_]+(\.[a-z0-9_]+)*, got 'A'"),
    ],
)
def test_what_is_no_canonical_line_is_refused(values: str, message: str):
    with pytest.raises(GenotypeError, match=f"^{re.escape(message)}$"):
        Candidate.from_line(f"{LINE}::{values}")
