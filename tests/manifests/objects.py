"""The objects that a kustomization makes: as `kubectl` renders them, or from their files where there is no kubectl."""

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from cellwright.runners import search_location, step_location, trial_location

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
KUSTOMIZATIONS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
OVERLAYS = [folder for folder in KUSTOMIZATIONS if folder.parent.name == "overlays"]
KUBECTL = shutil.which("kubectl")

Object = dict[str, Any]


@functools.cache
def rendered(folder: Path) -> list[Object]:
    text = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(text.stdout))


@functools.cache
def from_files(folder: Path) -> list[Object]:
    """Return what the files say, and what is generated: all but an overlay's patches."""
    return list(_from_files(folder))


def _from_files(folder: Path) -> Iterator[Object]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        if (folder / name).is_dir():
            yield from _from_files((folder / name).resolve())
        else:
            yield from yaml.safe_load_all((folder / name).read_text())
    for kind in ("ConfigMap", "Secret"):
        for generator in kustomization.get(f"{kind[0].lower()}{kind[1:]}Generator", ()):
            if generator.get("behavior") != "merge":
                metadata = {"name": generator["name"], "namespace": generator["namespace"]}
                data = dict(literal.split("=", 1) for literal in generator["literals"])
                yield {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}


def name_of(folder: Path) -> str:
    return str(folder.relative_to(MANIFESTS))


def created_by_hand(folder: Path) -> set[tuple[str, str]]:
    """Return the Secrets, by namespace and name, that an overlay says to create before it is applied."""
    text = (folder / "kustomization.yaml").read_text()
    loops = {each[1]: each[2].split() for each in re.finditer(r"for (\w+) in (.*); do", text)}
    return {
        (namespace, name)
        for name, place in re.findall(r"kubectl create secret generic (\S+) -n (\S+)", text)
        for namespace in loops.get(place.removeprefix("$"), [place])
    }


BUCKET = "arn:aws:s3:::BUCKET"
PLACES = {
    "trial": f"PREFIX/{trial_location('a', '0-0')}/result.json",
    "request": f"PREFIX/{search_location('a')}/trial.json",
    "prepared": f"PREFIX/{step_location('prepare-1')}/step.json",
    "finished": f"PREFIX/{step_location('retrain-1')}/step.json",
    "lease": "PREFIX/leases/search-1",
    "model": "mlflow/1/models/m/artifacts/MLmodel",
}
"""A key of each part of the bucket."""


def store_rights(name: str) -> set[tuple[str, str]]:
    """Return what an identity of manifests/store may do, as action and part of the bucket."""
    found = set()
    for statement in json.loads((MANIFESTS / "store" / f"{name}.json").read_text())["Statement"]:
        assert statement["Effect"] == "Allow" and "NotResource" not in statement
        actions, resources = (
            [each] if isinstance(each, str) else each for each in (statement["Action"], statement["Resource"])
        )
        assert resources != [BUCKET] or statement["Condition"]["StringLike"]["s3:prefix"]
        parts = {part for part, key in PLACES.items() for r in resources if fnmatchcase(f"{BUCKET}/{key}", r)}
        found |= {(action, part) for action in actions for part in parts}
    return found


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    return (each for each in objects if each["kind"] in kinds)


def key(each: Object) -> tuple[str, str | None, str]:
    return each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]


def pod_templates(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Yield whatever makes pods, with the template of its pods."""
    return ((each, each["spec"]["template"]) for each in objects if "template" in each.get("spec", {}))


def containers(template: Object) -> list[Object]:
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]
