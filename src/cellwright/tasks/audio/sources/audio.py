"""Audio clips in files: a folder per class, or a table of file names and labels."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from statistics import multimode
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cellwright.data import Examples, Reader, Source
from cellwright.data.duplicates import shared_groups
from cellwright.data.memory import require_memory
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.audio.files import SUFFIXES, AudioFiles, Clip, open_audio, open_clip
from cellwright.tasks.broken_files import FilesData, refuse, without_broken
from cellwright.tasks.class_folders import classified_files
from cellwright.tasks.classified_data import ClassifiedData, class_indices
from cellwright.tasks.folder_names import IMAGES, escaped, is_junk, natural_order, normal
from cellwright.tasks.images.arrays import classified
from cellwright.tasks.images.sources.folder import balance, set_folders
from cellwright.tasks.labels import USUAL_LABELS
from cellwright.tasks.tables.columns import require_column
from cellwright.tasks.tables.sources.table import SPLITS, Delimiter, delimiter_of, read_table

SAMPLES = "samples"
"""The network's input."""
USUAL_RATE, USUAL_SECONDS = 16_000, 10.0
"""The highest rate and the longest clips where the spec has none."""
MOST_AS_LONG = 0.95
"""The share of clips that are not cut where the spec does not say how long they are."""
SHORTEST_SECONDS = 0.25
LOOKED_AT = 300
"""Number of clips whose headers are read for a suggestion."""
PROGRESS_EVERY = 2000
KIND = "clips"
"""What files are called in messages."""

SetKey = Literal["path", "validation_path", "test_path"]


class AudioSection(StoredData, ClassifiedData, FilesData):
    """Audio clips, WAV or FLAC files: a folder per class, or a folder and a table of file names and labels."""

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path", "table")
    FOLDERS: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")
    reader = "cellwright.tasks.audio.sources.audio:AudioReader"
    task = "audio"

    source: Literal["audio"]
    path: Location
    """The folder whose subfolders are the classes, or the one that the names of the table are relative to."""
    test_path: Location | None = None
    """The user's own test set, a folder per class."""
    validation_path: Location | None = None
    """The user's own validation set, a folder per class. It needs `test_path`."""
    table: Location | None = None
    """A csv, tsv or parquet file with a row for each clip; then folders are not classes."""
    file: str = "file"
    """The column of the table with the names of files."""
    target: str = "label"
    """The column of the table with the classes."""
    split: str | None = None
    """A column of the table that says train, validation or test."""
    group_by: str | None = None
    """A column of the table, such as a speaker: clips of one group are never in two splits."""
    group_pattern: str | None = None
    """A regular expression that finds the group in a file's name below the folder of its class, without the suffix: its
    first group in parentheses, or all that it matches. `.*` keeps files of the same name together."""
    delimiter: Delimiter = ","
    """What separates the values of a csv table."""
    rate: int | None = Field(default=None, ge=2000, le=48_000)
    """Samples a second; files of another rate are resampled. By default the rate of most files, at most 16000."""
    seconds: float | None = Field(default=None, ge=SHORTEST_SECONDS, le=60)
    """Of a longer clip the beginning is read, a shorter one is followed by silence. By default 19 of 20 clips are not
    cut, and none is longer than 10 seconds."""

    @model_validator(mode="after")
    def _keys_belong_together(self) -> Self:
        if self.validation_path and not self.test_path:
            raise ValueError("test_path must be given where validation_path is")
        if self.table is None and (self.split or self.group_by):
            raise ValueError("table must be given where split or group_by is")
        if self.table is not None and self.test_path:
            raise ValueError(
                "test_path must be omitted where table is given; split names a column that says test"
            )
        if self.group_by and self.group_pattern:
            raise ValueError("group_pattern must be omitted where group_by is given")
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise ValueError(
                f"group_pattern must be a regular expression, got {self.group_pattern!r}: {error}"
            ) from error
        return self


@dataclass(frozen=True)
class _Clips:
    """The files of a set."""

    folder: Path
    files: Sequence[Path]
    labels: Sequence[str]
    groups: NDArray[np.str_] | None
    splits: NDArray[np.str_] | None = None

    @property
    def names(self) -> list[str]:
        """Return the printable name of each file."""
        return [escaped(file.relative_to(self.folder)) for file in self.files]

    def only(self, kept: NDArray[np.bool_]) -> "_Clips":
        """Return those that are marked."""
        return _Clips(
            self.folder,
            list(compress(self.files, kept)),
            list(compress(self.labels, kept)),
            None if self.groups is None else self.groups[kept],
            None if self.splits is None else self.splits[kept],
        )


class AudioReader(Reader):
    """Reads the clips of a section."""

    section: AudioSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Inspect some clips of a folder with audio and no images, or of a table whose first row names one."""
        if path.is_dir():
            suffixes = {file.suffix.lower() for file in path.rglob("*")}
            if not suffixes & set(SUFFIXES) or suffixes & IMAGES:
                return None
            return cls._suggestion(set_folders(path))
        if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
            return None
        try:
            table = read_table(path, delimiter=(delimiter := delimiter_of(path)), missing=("",))
        except DataError:  # the reader of tables reports the reason
            return None
        first, *others = table.columns
        name = str(table[first].iloc[0])
        if Path(name).suffix.lower() not in SUFFIXES or not os.path.isfile(path.parent / name) or not others:
            return None
        target = next((column for column in others if column.lower() in USUAL_LABELS), others[0])
        keys = {"path": path.parent, "table": path, "file": first, "target": target}
        return cls._suggestion(keys | ({} if delimiter == "," else {"delimiter": delimiter}))

    @classmethod
    def _suggestion(cls, keys: Mapping[str, Any]) -> SpecSuggestion:
        reader = cls(AudioSection(source="audio", **keys))
        clips = reader._set("path", lambda fact: None)
        some = clips.files[:: max(1, len(clips.files) // LOOKED_AT)]
        headers, broken = _headers(some)
        if not headers:
            raise DataError(
                f"{clips.folder}: holds no readable WAV or FLAC file: {next(iter(broken.values()))}"
            )
        files = reader._conversion(headers)
        counts = {name: clips.labels.count(name) for name in natural_order(set(clips.labels))}
        return SpecSuggestion(
            keys=keys,
            remarks=(
                f"{len(clips.files)} clips of {len(counts)} classes, {balance(counts)}; {_spread(headers)}",
            ),
            num_examples=len(clips.files),
            shape=files.map_shape,
        )

    def read(self, log: Callable[[str], None]) -> Source:
        """Decode all clips, including those of validation and test sets if there are any."""
        sets = {key: self._set(key, log) for key in self.section.FOLDERS if getattr(self.section, key)}
        read = [_headers(clips.files) for clips in sets.values()]
        headers = [clip for found, _ in read for clip in found]
        for clips, (_, broken) in zip(sets.values(), read, strict=True):
            without_broken(str(clips.folder), KIND, clips.names, broken, self.section)
        how = self._conversion(headers)
        self._report(headers, how, log)
        class_names = tuple(natural_order(set(sets["path"].labels)))
        examples: dict[str, Examples] = {}
        skipped: tuple[str, ...] = ()
        for key, clips in sets.items():
            sets[key], examples[key], more = self._examples(clips, how, class_names, log)
            skipped += more
        test, validation = examples.get("test_path"), examples.get("validation_path")
        source = classified(class_names, examples["path"], test, validation, files=how)
        own = sets["path"]
        theirs = sets["test_path"].groups if "test_path" in sets else None
        if own.groups is not None and theirs is not None:
            shared_groups(own.groups.tolist(), theirs.tolist(), log)
        if own.splits is not None:
            source = replace(source, assigned=own.splits)
        return replace(source, skipped=skipped, groups=own.groups if validation is None else None)

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the clips in a folder; of one with a table that is on this machine, those of the table."""
        if self.section.table is None:
            return (file for _, file in classified_files(folder, SUFFIXES, lambda fact: None))
        if isinstance(self.section.table, Path) and folder == self.section.path:
            return sorted(self._set("path", lambda fact: None).files)
        return (file for file in super().files(folder) if file.suffix.lower() in SUFFIXES)

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return the names of clips in a remote folder."""
        return [
            name
            for name in names
            if Path(name).suffix.lower() in SUFFIXES and not any(map(is_junk, name.split("/")))
        ]

    def check(self, key: str, path: Path) -> None:
        """Check that there is a folder per class, or that the files of the table exist, if they are local."""
        super().check(key, path)
        if self.section.table is None:
            classified_files(path, SUFFIXES, lambda fact: None)
        elif key == "table" and isinstance(self.section.path, Path):
            self._set("path", lambda fact: None)

    def _set(self, key: str, log: Callable[[str], None]) -> _Clips:
        section, folder = self.section, Path(getattr(self.section, key))
        if section.table is not None:
            clips = self._listed(folder, Path(section.table))
            names = [file.relative_to(folder) for file in clips.files]
        else:
            labels, files = zip(*classified_files(folder, SUFFIXES, log), strict=True)
            clips = _Clips(folder, files, labels, None)
            names = [Path(*file.relative_to(folder).parts[1:]) for file in files]
        if (pattern := section.group_pattern) is None:
            return clips
        return replace(clips, groups=np.array([_group(pattern, name, folder) for name in names]))

    def _listed(self, folder: Path, path: Path) -> _Clips:
        """Return the clips of a table."""
        section = self.section
        table = read_table(path, delimiter=section.delimiter, missing=("",))
        columns = {key: getattr(section, key) for key in ("file", "target", "split", "group_by")}
        for key, name in columns.items():
            if name is not None:
                require_column(table, name, f"data.{key}", str(path))
                if table[name].isna().any():
                    row = int(table[name].isna().to_numpy().argmax()) + 1
                    raise DataError(
                        f"{path}: column {name!r} must have a value in every row, and row {row} has none"
                    )
        names = [os.path.normpath(str(name).replace("\\", "/")) for name in table[section.file]]
        strange = [escaped(name) for name in names if os.path.isabs(name) or name.split("/")[0] == os.pardir]
        refuse(f"{path}: names must be relative to {folder} and below it", strange)
        twice = sorted(escaped(name) for name, count in Counter(names).items() if count > 1)
        refuse(f"{path}: names must be listed once", twice)
        absent = [escaped(name) for name in names if not os.path.isfile(folder / name)]
        refuse(
            f"{folder}: {len(absent)} of the {len(names)} files that {path.name} lists are not there", absent
        )
        return _Clips(
            folder,
            [folder / name for name in names],
            [normal(str(label).strip()) for label in table[section.target]],
            table[by].astype(str).to_numpy(str) if (by := section.group_by) else None,
            self._splits(table, path),
        )

    def _splits(self, table: Any, path: Path) -> NDArray[np.str_] | None:
        if self.section.split is None:
            return None
        splits: NDArray[np.str_] = table[self.section.split].astype(str).to_numpy(str)
        wrong = ~np.isin(splits, SPLITS)
        if wrong.any():
            raise DataError(
                f"{path}: column {self.section.split!r} must be one of {', '.join(SPLITS)}, "
                f"got {str(splits[wrong][0])!r}"
            )
        return splits

    def _conversion(self, headers: Sequence[Clip]) -> AudioFiles:
        """Return the rate and the length that the section says, or that suit the clips."""
        section = self.section
        rate = section.rate or min(USUAL_RATE, min(multimode(clip.rate for clip in headers)))
        seconds = section.seconds or float(
            np.quantile([clip.seconds for clip in headers], MOST_AS_LONG, method="higher").clip(
                SHORTEST_SECONDS, USUAL_SECONDS
            )
        )
        return AudioFiles(rate=rate, samples=round(seconds * rate))

    def _report(self, headers: Sequence[Clip], how: AudioFiles, log: Callable[[str], None]) -> None:
        seconds = how.samples / how.rate
        cut = sum(clip.seconds > seconds for clip in headers)
        log(
            f"{_spread(headers)}; each is {seconds:.2f} s as an example, so that {cut} are cut (data.seconds)"
        )
        if others := sorted({clip.rate for clip in headers} - {how.rate}):
            count = sum(clip.rate != how.rate for clip in headers)
            log(
                f"{count} clips of {', '.join(map(str, others))} Hz are resampled to {how.rate} Hz (data.rate)"
            )
        if several := sum(clip.channels > 1 for clip in headers):
            log(f"{several} clips have several channels, which are averaged")

    def _examples(
        self, clips: _Clips, how: AudioFiles, class_names: Sequence[str], log: Callable[[str], None]
    ) -> tuple[_Clips, Examples, tuple[str, ...]]:
        """Return the clips that can be used, the same as examples, and the others with the reasons."""
        require_memory(f"{clips.folder}: {len(clips.files)} clips", 2 * len(clips.files) * how.samples)
        samples = np.zeros((len(clips.files), how.samples), np.int16)
        broken: dict[int, str] = {}
        for index, file in enumerate(clips.files):
            if index and index % PROGRESS_EVERY == 0:
                log(f"{clips.folder}: read {index} of {len(clips.files)} clips")
            try:
                with open_audio(file) as opened:
                    samples[index] = how.read(opened)
            except DataError as error:
                broken[index] = str(error)
        kept, skipped = without_broken(str(clips.folder), KIND, clips.names, broken, self.section)
        used = clips.only(kept)
        examples = Examples(
            origin=str(clips.folder),
            inputs={SAMPLES: samples[kept] if broken else samples},
            targets=class_indices(used.labels, class_names, str(clips.folder)),
            files=tuple(used.names),
        )
        return used, examples, skipped


def _headers(files: Iterable[Path]) -> tuple[list[Clip], dict[int, str]]:
    """Return what the headers of files say, and the reason for each that cannot be read, by its index."""
    headers, broken = [], {}
    for index, file in enumerate(files):
        try:
            with open_audio(file) as opened:
                headers.append(open_clip(opened))
        except DataError as error:
            broken[index] = str(error)
    return headers, broken


def _group(pattern: str, name: Path, folder: Path) -> str:
    text = normal(name.with_suffix("").as_posix())
    found = re.search(pattern, text)
    if found is None or found[found.re.groups and 1] is None:
        raise DataError(
            f"{folder}: data.group_pattern must find a group in every name, got {escaped(text)!r}"
        )
    return found[found.re.groups and 1]


def _spread(headers: Sequence[Clip]) -> str:
    """Say how long clips are, and at which rates."""
    shortest, longest = (which(clip.seconds for clip in headers) for which in (min, max))
    rates = ", ".join(map(str, sorted({clip.rate for clip in headers})))
    return f"clips last {shortest:.2f} to {longest:.2f} s at {rates} Hz"
