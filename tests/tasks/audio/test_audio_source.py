from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader, source_digest
from cellwright.data.splitting import split
from cellwright.errors import DataError, SpecError
from cellwright.spec import SOURCES
from cellwright.tasks.base import task_type
from cellwright.tasks.preparing import prepare
from tests.tasks.audio.wavs import sine, wav

CLASSES = ("high", "low")


def clips(folder: Path, count: int = 12, **more: Any) -> Path:
    """Write clips of two classes, which have the same names."""
    for number, name in enumerate(CLASSES):
        for index in range(count):
            file = folder / name / f"s{index // 4}" / f"{index}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(wav(sine(900 - 600 * number + index, **more)))
    return folder


def section(path: Path, **keys: Any) -> Any:
    return SOURCES.validate({"source": "audio", "path": path} | keys)


def read(path: Path, log: Callable[[str], None] = lambda fact: None, **keys: Any) -> Any:
    return build_reader(section(path, **keys)).read(log)


def table(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def rows(count: int = 12) -> list[str]:
    return [f"{name}/s{n // 4}/{n}.wav,{name},{n // 4}" for name in CLASSES for n in range(count)]


def test_folders_are_classes_and_a_table_says_the_same(tmp_path: Path):
    source = read(clips(tmp_path / "a"))
    assert source.facts["class_names"] == CLASSES
    assert source.examples.targets.tolist() == [0] * 12 + [1] * 12
    assert source.examples.files[0] == "high/s0/0.wav"
    np.testing.assert_array_equal(source.examples.inputs["samples"][0], sine(900))
    listed = read(tmp_path / "a", table=table(tmp_path, "\n".join(["file,label,speaker", *rows()])))
    assert sorted(listed.examples.files) == sorted(source.examples.files)
    assert listed.facts == source.facts


def test_groups_of_names_and_of_a_table_stay_together(tmp_path: Path):
    by_name = read(clips(tmp_path / "a"), group_pattern=r"s(\d)")
    assert by_name.groups.tolist() == [str(n // 4) for n in range(12)] * 2
    of_all = read(tmp_path / "a", group_pattern=".*").groups
    assert of_all[0] == "s0/0" and (of_all[:12] == of_all[12:]).all()
    keys = {"table": table(tmp_path, "\n".join(["file,label,speaker", *rows()])), "group_by": "speaker"}
    by_table = read(tmp_path / "a", **keys)
    assert by_table.groups.tolist() == by_name.groups.tolist()
    strata = task_type("audio").strata(by_name)
    parts = split(by_name, section(tmp_path / "a"), strata)
    groups = [set(by_name.groups[part.indices].tolist()) for part in parts.values()]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_a_table_may_say_the_split(tmp_path: Path):
    parts = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    lines = [f"{row},{part}" for row, part in zip(rows(), parts * 2, strict=True)]
    where = table(tmp_path, "\n".join(["file,label,speaker,part", *lines]))
    data = section(clips(tmp_path / "a"), table=where, split="part")
    prepare(data, tmp_path / "data", lambda fact: None)
    assert PreparedData.open(tmp_path / "data").manifest.split_sizes == {
        "train": 16,
        "validation": 4,
        "test": 4,
    }


def test_own_validation_and_test_sets(tmp_path: Path):
    loudness = {"validation": 0.2, "test": 0.3}
    keys = {f"{part}_path": clips(tmp_path / part, 6, amplitude=a) for part, a in loudness.items()}
    told: list[str] = []
    source = read(clips(tmp_path / "a"), told.append, group_pattern=".*", **keys)
    assert source.assigned.tolist().count("validation") == 12 and len(source.test) == 12
    assert "leak: 6 groups are in the training set and in the test set" in told


def test_lengths_and_rates_are_taken_from_the_files_and_reported(tmp_path: Path):
    folder = clips(tmp_path / "a", 20)
    (folder / "low/long.wav").write_bytes(wav(sine(300, seconds=3)))
    (folder / "low/fast.wav").write_bytes(wav(np.stack([sine(300, 16000)] * 2, axis=1), 16000))
    told: list[str] = []
    assert read(folder, told.append).examples.inputs["samples"].shape == (42, 4000)
    assert told == [
        "clips last 0.50 to 3.00 s at 8000, 16000 Hz; each is 0.50 s as an example, so that 1 are cut (data.seconds)",
        "1 clips of 16000 Hz are resampled to 8000 Hz (data.rate)",
        "1 clips have several channels, which are averaged",
    ]
    assert read(folder, rate=2000, seconds=1).examples.inputs["samples"].shape == (42, 2000)


def test_broken_clips_are_named_or_left_out(tmp_path: Path):
    folder = clips(tmp_path / "a")
    (folder / "low/bad.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="1 of 25 clips cannot be used: low/bad.wav: is not a WAV file"):
        read(folder)
    source = read(folder, on_broken="skip", group_pattern=".*")
    assert len(source.examples) == len(source.groups) == 24
    assert source.skipped == (f"{folder}/low/bad.wav: is not a WAV file: WAVE must follow RIFF",)


def test_a_listed_clip_that_changes_is_new_data(tmp_path: Path):
    where = table(tmp_path, "\n".join(["file,label,speaker", *rows()]))
    data = section(clips(tmp_path / "a"), table=where)
    before = source_digest(data)
    (tmp_path / "a/other.wav").write_bytes(b"not listed")
    assert source_digest(data) == before
    (tmp_path / "a/low/s0/1.wav").write_bytes(wav(sine(20)))
    assert source_digest(data) != before


def test_clips_in_a_bucket_are_found_by_their_names():
    reader = build_reader(SOURCES.validate({"source": "audio", "path": "s3://b/a"}))
    names = ["low/1.wav", "low/.2.wav", "low/notes.txt", "__MACOSX/3.wav", "high/4.WAV"]
    assert reader.names("s3://b/a", names) == ["low/1.wav", "high/4.WAV"]


BAD_KEYS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "validation alone": ({"validation_path": "v"}, "test_path must be given where validation_path is"),
    "no table": ({"group_by": "speaker"}, "table must be given where split or group_by is"),
    "two test sets": ({"table": "t.csv", "test_path": "x"}, "test_path must be omitted where table is given"),
    "two groups": (
        {"table": "t.csv", "group_by": "a", "group_pattern": "b"},
        "group_pattern must be omitted",
    ),
    "no expression": ({"group_pattern": "("}, "group_pattern must be a regular expression, got '('"),
    "a moment": ({"seconds": 0.01}, "0.25"),
}


@pytest.mark.parametrize("problem", BAD_KEYS)
def test_keys_that_exclude_each_other_are_refused(problem: str):
    keys, message = BAD_KEYS[problem]
    with pytest.raises((SpecError, ValueError)) as caught:
        section(Path("a"), **keys)
    assert message in str(caught.value)


TABLES: Mapping[str, tuple[list[str], Mapping[str, Any], str]] = {
    "outside": (["../x.wav,low,1"], {}, "names must be relative to"),
    "absolute": (["/etc/x.wav,low,1"], {}, "names must be relative to"),
    "absent": (["low/no.wav,low,1"], {}, "1 of the 25 files that t.csv lists are not there: low/no.wav"),
    "twice": ([rows()[0]], {}, "names must be listed once: high/s0/0.wav"),
    "no label": (["low/x.wav,,1"], {}, "column 'label' must have a value in every row, and row 25 has none"),
    "no column": (
        [],
        {"file": "path"},
        "data.file must be one of its columns, file, label, speaker, got 'path'",
    ),
    "no split": (
        [],
        {"split": "speaker"},
        "column 'speaker' must be one of train, validation, test, got '0'",
    ),
}


@pytest.mark.parametrize("problem", TABLES)
def test_bad_tables_are_refused_in_a_line(problem: str, tmp_path: Path):
    more, keys, message = TABLES[problem]
    where = table(tmp_path, "\n".join(["file,label,speaker", *rows(), *more]))
    with pytest.raises(DataError) as caught:
        read(clips(tmp_path / "a"), table=where, **keys)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_bad_folders_are_refused_in_a_line(tmp_path: Path):
    folder = clips(tmp_path / "a")
    with pytest.raises(DataError, match="data.group_pattern must find a group in every name, got 's0/0'"):
        read(folder, group_pattern="x")
    (folder / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"every class must have .wav, .wave, .flac files, and 'empty' has none"
    ):
        read(folder)
    for part in ("train", "test"):
        clips(tmp_path / "b" / part)
    with pytest.raises(DataError, match="are parts of a split: set data.path"):
        read(tmp_path / "b")
