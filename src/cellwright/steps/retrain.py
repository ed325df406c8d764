"""`retrain`: trains the network of a genotype, and exports it to portable files."""

from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.genotype import Genotype
from cellwright.nn.export import export_onnx, export_pt2
from cellwright.progress import Progress
from cellwright.results import GENOTYPE, ONNX, PARTS, PT2, TARGETS, ElasticResult, ModelInfo, SearchResult
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.steps.starting_weights import starting_weights
from cellwright.tasks.base import read_task
from cellwright.training import parallel
from cellwright.training.checkpoint import load_tensors, restore_module, unprefixed
from cellwright.training.course import WINNER, Course
from cellwright.training.networks import (
    continue_network,
    genotype_network,
    load_network,
    save_network,
    train_network,
)

CHECKED_EXAMPLES = 64


def retrain(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Train the derived network, from scratch by default, and export it."""
    data = PreparedData.open(inputs["prepare"])
    found = SearchResult.load(inputs["search"] / SearchResult.FILE)
    spec = spec.tuned(found.tuned)
    config = genotype_network(spec, data.manifest, found.genotype)
    if found.elastic:
        if parallel.is_first():
            _export_parts(spec, found.elastic, inputs["search"] / PARTS, data, folder, progress)
        return
    if found.race:
        trained = inputs["search"] / WINNER
        course = Course(steps=found.race.steps, cool_down=found.race.done, precision=found.race.precision)
        continue_network(
            "found", config, data, spec, course, trained if trained.exists() else None, folder, progress
        )
    else:
        train_network("found", config, data, spec, folder, progress, start=starting_weights(spec))
    if parallel.is_first():
        progress.log("retrain: exporting to pt2 and ONNX")
        _export(found.genotype, data, folder)


def _export(genotype: Genotype, data: PreparedData, folder: Path) -> None:
    """Write the genotype and the exported formats of the folder's network."""
    write_text(folder / GENOTYPE, genotype.to_json())
    network = load_network(folder)
    task, examples = read_task(data.manifest.task), data.train[:CHECKED_EXAMPLES].inputs
    info = task.model_info(data.manifest.inputs, genotype)
    info.save(folder / ModelInfo.FILE)
    export_pt2(network, examples, folder / PT2, info)
    export_onnx(network, examples, folder / ONNX, info, task.front())


def _export_parts(
    spec: SearchSpec,
    found: ElasticResult,
    parts: Path,
    data: PreparedData,
    folder: Path,
    progress: Progress,
) -> None:
    """Write the networks of an elastic search: the first one to the folder, each other one to one in `targets`."""
    tensors, _ = load_tensors(parts)
    for number, one in enumerate(found.networks):
        progress.log(f"retrain: exporting the network of {found.metric} {one.limit:g} to pt2 and ONNX")
        location = folder / TARGETS / one.name if number else folder
        location.mkdir(parents=True, exist_ok=True)
        config = genotype_network(spec, data.manifest, one.genotype)
        network = config.build(seed=0).eval()
        restore_module(network, unprefixed(one.name, tensors))
        save_network(one.name, config, network, location)
        _export(one.genotype, data, location)
