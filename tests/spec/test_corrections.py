"""What people write in specs, and what they are told."""

import io
import os
import sys
from pathlib import Path

import pytest

from cellwright.errors import SpecError
from cellwright.spec import SearchSpec, load_spec

GOOD = "name: shoes\ndata: {source: digits}\n"
IMAGES = "name: shoes\ndata: {source: images, path: photos, "


def load(folder: Path, content: str | bytes, *overrides: str) -> SearchSpec:
    path = folder / "search.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_spec(path, overrides)


def problem(folder: Path, content: str | bytes, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        load(folder, content, *overrides)
    return str(caught.value).replace(f"{folder / 'search.yaml'}", "s", 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "resources: {memory: 4GB}", "such as 4Gi, got '4GB'; did you mean '4G'?"),
        (GOOD + "resources: {memory: 4 gib}", "got '4 gib'; did you mean '4Gi'?"),
        (GOOD + "resources: {memory: 1.5Gi}", "got '1.5Gi'; did you mean '1536Mi'?"),
        (GOOD + "resources: {cpu: two}", "must be a number of CPUs, such as 2, 0.5 or 500m, got 'two'"),
        (IMAGES + "resize: 32}", "data.resize: must be a list, got 32; did you mean [32, 32]?"),
        (IMAGES + "resize: 32x32}", "must be a list, got '32x32'; did you mean [32, 32]?"),
        (IMAGES + "resize: 64x32}", "got '64x32'; did you mean [64, 32], height and then width?"),
        (IMAGES + "resize: [32]}", "data.resize: must have more members, got [32]"),
        (IMAGES + "resize: [32, 32, 3]}", "data.resize: must have at most 2 members, got [32, 32, 3]"),
        (GOOD + "space: {kind: DARTS}", "got 'DARTS'; did you mean 'darts'?"),
        (IMAGES + "channels: gray}", "must be 'grey' or 'rgb', got 'gray'; did you mean 'grey'?"),
        (IMAGES + "channels: RGB}", "got 'RGB'; did you mean 'rgb'?"),
        (IMAGES + "channels: 1}", "must be 'grey' or 'rgb', got 1"),
        ("name: 2024\ndata: {source: digits}", "must be text, got 2024; did you mean '2024', in quotes?"),
        ("name: My Shoes\ndata: {source: digits}", "got 'My Shoes'; did you mean 'my-shoes'?"),
        (GOOD + "retrain: {learning_rate: '0,001'}", "must be a number, got '0,001'; did you mean 0.001?"),
        (GOOD + "retrain: {learning_rate: 0,001}", "s:3:26: a number must have a decimal point, not a comma"),
        (GOOD + "retrain: {gradient_clip: None}", "got 'None'; did you mean null?"),
        (GOOD + "evaluate: {latency_batch_sizes: 8}", "must be a list, got 8; did you mean [8]?"),
        (GOOD + "budget: {epochs: 10k}", "must be a whole number, got '10k'; did you mean 10000?"),
        (GOOD + "budget: {epochs: 2.5}", "budget.epochs: must be a whole number, got 2.5"),
        (GOOD + "budget: {max_seconds: 1h30m}", "must be a number, got '1h30m'; did you mean 5400?"),
        (GOOD + "budget: [1]", "budget: must be a mapping of keys to values, got [1]"),
        (GOOD + "resources: {spot: 1}", "must be true or false, got 1; did you mean true?"),
        (GOOD + "epochs: 5", "epochs: unknown key; did you mean budget.epochs or retrain.epochs?"),
        (GOOD + "source: npz", "source: unknown key; did you mean data.source?"),
        (GOOD + "strategy: {epochs: 5}", "strategy.epochs: unknown key; did you mean budget.epochs or"),
        (
            GOOD + "learning_rate: 1",
            "unknown key; did you mean strategy.learning_rate or retrain.learning_rate?",
        ),
        (GOOD + "budget: {epoch: 5}", "budget.epoch: unknown key; did you mean 'epochs'?"),
        (GOOD + "budget.epochs: 5", "budget.epochs: unknown key; did you mean epochs in budget?"),
        (GOOD + "colour: red", "colour: unknown key; known here: name, seed"),
        ("name: a\ndata:", "data: must be given"),
        ("", "s: is empty: a spec needs name and data at least"),
        ("# nothing yet\n", "s: is empty"),
        (
            GOOD + "---\n" + GOOD,
            "s:3:1: not valid YAML: a file must have one document, and --- begins another",
        ),
        ("name: t\ndata:\n\tsource: digits", "s:3:1: not valid YAML: found character '\\t' that cannot"),
        ("name: t\0", "s:1:8: not valid YAML: the character U+0000 is not allowed"),
        (GOOD.encode("utf-16"), "s: must be UTF-8, and is UTF-16, as PowerShell's > writes it"),
        (
            "name: a\n# größe".encode("latin-1"),
            "s:2:5: must be UTF-8, got the byte f6, which is 'ö' in Latin-1",
        ),
    ],
)
def test_the_intended_key_is_suggested(tmp_path: Path, text: str | bytes, told: str):
    assert told in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("gs://bucket/photos", "gs:// is not supported: copy the data to S3, or to this machine"),
        ("https://example.com/x.npz", "https:// is not supported"),
        ("file:///data/x.npz", "did you mean '/data/x.npz'?"),
        ("S3://bucket/x.npz", "must be s3://BUCKET/KEY, got 'S3://bucket/x.npz'"),
        (r"C:\data\x.npz", "a path of Windows: write it as it is called here"),
    ],
)
def test_an_invalid_path_is_reported(tmp_path: Path, place: str, told: str):
    found = problem(tmp_path, f"name: a\ndata: {{source: npz, path: '{place}'}}")
    assert found.startswith("s: data.path: ") and told in found


def test_a_correction_is_not_offered_where_it_is_wrong_too(tmp_path: Path):
    assert problem(tmp_path, GOOD + "budget: {epochs: '-1,5'}").endswith("got '-1,5'")
    assert problem(tmp_path, IMAGES + "resize: 4x4}").endswith("got '4x4'")


def test_an_empty_section_is_its_defaults(tmp_path: Path):
    empty = load(tmp_path, GOOD + "budget:\nstrategy:\naugment:\n", "retrain.epochs=3")
    assert empty == load(tmp_path, GOOD, "retrain.epochs=3")
    assert load(tmp_path, GOOD + "retrain:\n", "retrain.epochs=3").retrain.epochs == 3


def test_paths_count_from_where_the_spec_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As in a ConfigMap, in which every file is a link into a folder of its own."""
    text = "name: a\nprofiles: mine.yaml\nresources: {profile: big}\ndata: {source: npz, path: ../x.npz}"
    (tmp_path / "conf/..2026").mkdir(parents=True)
    (tmp_path / "conf/..2026/s.yaml").write_text(text)
    (tmp_path / "conf/mine.yaml").write_text("big: {cpu: 7}")
    (tmp_path / "conf/s.yaml").symlink_to("..2026/s.yaml")
    monkeypatch.chdir(tmp_path)
    spec = load_spec(Path("conf/s.yaml"))
    assert spec.data.locations["path"] == tmp_path / "conf/../x.npz"
    assert spec.resources.cpu == "7"


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert load(tmp_path, "name: a\ndata: {source: npz, path: ~/x.npz}").data.locations == {
        "path": Path("/home/me/x.npz")
    }


def test_a_spec_can_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read, write = os.pipe()
    os.write(write, GOOD.encode())
    os.close(write)
    with open(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert load_spec(Path("-")).name == "shoes"
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SpecError, match="-: cannot be read"):
        load_spec(Path("-"))
