"""Loads a spec file, and reports all errors at once."""

import base64
import hashlib
import json
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cellwright.errors import SpecError
from cellwright.spec.explaining import describe_errors
from cellwright.spec.location import absolute
from cellwright.spec.platform import Resources
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.section import Section
from cellwright.spec.yaml12 import MAX_CHARACTERS, load_yaml

STDIN = Path("-")
PROFILES = Path(__file__).with_name("profiles.yaml")
"""The built-in resource profiles."""


def load_spec(path: Path, overrides: Iterable[str] = ()) -> SearchSpec:
    """Read a spec from a YAML file. Relative paths in it are relative to the file's folder.

    Args:
        path: the file, or `-` for standard input.
        overrides: `KEY.KEY=VALUE` each, with a YAML value; they override the file.

    Raises:
        SpecError: the file cannot be read, or breaks rules; the message lists every error.
    """
    values = _read(path)
    if values is None:
        raise SpecError(
            f"{path}: is empty: a spec needs name and data at least, as examples/digits.yaml has them"
        )
    if not isinstance(values, dict):
        raise SpecError(f"{path}: a spec must be a mapping of keys to values, got {values!r:.80}")
    for override in overrides:
        _apply(values, override)
    _put_profiles_in(values, path)
    return _absolute(_validate(values, str(path)), _folder(path))


def _folder(path: Path) -> Path:
    """Return the folder that a spec's paths are relative to. Symbolic links are not resolved."""
    return path.absolute().parent


def _read(path: Path) -> Any:
    """Return the content of a YAML file, or of standard input if the path is `-`."""
    try:
        with open(sys.stdin.fileno(), "rb", closefd=False) if path == STDIN else path.open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)
    except (OSError, ValueError, AttributeError) as error:
        raise SpecError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return load_yaml(_decoded(content, path), str(path))


def _decoded(content: bytes, path: Path) -> str:
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise SpecError(
            f"{path}: must be UTF-8, and is UTF-16, as PowerShell's > writes it: save it as UTF-8"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before.rpartition(b"\n")[2].decode()) + 1
        wrong = content[error.start : error.start + 1]
        raise SpecError(
            f"{path}:{before.count(10) + 1}:{column}: must be UTF-8, got the byte {wrong.hex()}, "
            f"which is {wrong.decode('latin-1')!r} in Latin-1: save it as UTF-8"
        ) from error


def parse_spec(text: str) -> SearchSpec:
    """Read a spec from the output of `SearchSpec.model_dump_json(by_alias=True)`."""
    return _validate(json.loads(text), "spec")


def pack_spec(spec: SearchSpec) -> str:
    """Return the spec as one word of `[A-Za-z0-9_=.-]`, which is safe from all template languages.

    It is `SHA256.BASE64` of the spec's JSON in UTF-8.
    """
    text = spec.model_dump_json(by_alias=True).encode()
    return f"{hashlib.sha256(text).hexdigest()}.{base64.urlsafe_b64encode(text).decode()}"


def unpack_spec(word: str) -> SearchSpec:
    """Read the output of `pack_spec`.

    Raises:
        SpecError: the word is damaged.
    """
    digest, _, encoded = word.strip().partition(".")
    try:
        text = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except ValueError:
        text = b""
    if (found := hashlib.sha256(text).hexdigest()) != digest:
        raise SpecError(
            f"spec: must be SHA256.BASE64 as `cellwright compile` writes it, got {word!r:.80}, whose content has the "
            f"SHA-256 {found}: it was changed on its way"
        )
    return parse_spec(text.decode())


def _validate(values: Any, origin: str) -> SearchSpec:
    try:
        return SearchSpec.model_validate(values)
    except ValidationError as error:
        lines = describe_errors(error, values, SearchSpec)
        raise SpecError("\n".join(f"{origin}: {line}" for line in lines)) from error


def _absolute(spec: SearchSpec, folder: Path) -> SearchSpec:
    sections: dict[str, Section] = {"data": spec.data, "start": spec.start, "retrain": spec.retrain}
    absolute_ones: dict[str, Section] = {
        name: _of_folder(section, folder) for name, section in sections.items()
    }
    if spec.policy and spec.policy.live:
        live = _of_folder(spec.policy.live, folder)
        absolute_ones["policy"] = spec.policy.model_copy(update={"live": live})
    return spec.model_copy(update=absolute_ones)


def _of_folder(section: Section, folder: Path) -> Section:
    """Return the section with absolute paths."""
    paths = {key: absolute(value, folder) for key, value in section if isinstance(value, Path)}
    return section.model_copy(update=paths)


def _put_profiles_in(values: dict[str, Any], path: Path) -> None:
    """Replace the names of profiles by their resources, everywhere in a spec.

    Raises:
        SpecError: a profile does not exist, or the file of profiles cannot be read.
    """
    known = load_profiles()
    if (file := values.get("profiles")) is not None:
        known |= load_profiles(absolute(Path(str(file)), _folder(path)))
        del values["profiles"]
    pipeline, runner = (values.get(name) for name in ("pipeline", "runner"))
    holders: list[tuple[str, Any, Any]] = [("resources", values, "resources")]
    if isinstance(runner, dict):
        holders.append(("runner.resources", runner, "resources"))
    if isinstance(pipeline, dict) and isinstance(steps := pipeline.get("resources"), dict):
        holders += [(f"pipeline.resources.{step}", steps, step) for step in steps]
    for location, holder, key in holders:
        section = holder.get(key)
        if not isinstance(section, dict) or (name := section.get("profile")) is None:
            continue
        if not isinstance(name, str) or name not in known:
            raise SpecError(
                f"{path}: {location}.profile: must be one of {', '.join(sorted(known))}, got {name!r}"
            )
        holder[key] = {**known[name], **section}


def load_profiles(path: Path = PROFILES) -> dict[str, dict[str, Any]]:
    """Return the resource profiles of a file by name; by default, the built-in ones.

    Raises:
        SpecError: the file cannot be read, or profiles break rules; the message names each.
    """
    values = _read(path)
    if not isinstance(values, dict):
        raise SpecError(f"{path}: must be a mapping of names to resources, got {values!r:.80}")
    lines = []
    for name, profile in values.items():
        try:
            Resources.model_validate(profile)
        except ValidationError as error:
            lines += [f"{path}: {name}.{line}" for line in describe_errors(error, profile, Resources)]
    if lines:
        raise SpecError("\n".join(lines))
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    *parents, last = path.split(".")
    if not equals or not all((*parents, last)):
        raise SpecError(f"--set must be KEY.KEY=VALUE, got {override!r}")
    for parent in parents:
        if values.get(parent) is None:
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise SpecError(f"--set {override}: {parent} is not a mapping")
    values[last] = load_yaml(text, f"--set {override}")
