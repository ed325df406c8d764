"""Hostile inputs end in one line, in little memory and time; `python -m tests.hostile` gives all of them."""

import subprocess
import sys

CHOSEN = (
    "spec: aliases of aliases in an affinity",
    "spec: 20,000 deep",
    "data: npz with bzip2",
    "data: images that are none",
    "store: a record of files elsewhere",
    "store: tensors whose facts are 100,000 deep",
    "store: a genotype with a number of 5,000 digits",
    "request: 18 equivalent nodes",
)


def test_some_of_each_kind():
    command = [sys.executable, "-m", "tests.hostile", *CHOSEN]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{len(CHOSEN)} inputs, 0 of which ended otherwise" in done.stdout
