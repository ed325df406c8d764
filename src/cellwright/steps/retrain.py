"""`retrain`: trains the network of a genotype, and exports it to portable files."""

from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.nn.export import export_onnx, export_pt2
from cellwright.progress import Progress
from cellwright.results import GENOTYPE, ONNX, PT2, ModelInfo, SearchResult
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.steps.starting_weights import starting_weights
from cellwright.training import parallel
from cellwright.training.course import WINNER, Course
from cellwright.training.networks import continue_network, genotype_network, load_network, train_network

CHECKED_EXAMPLES = 64


def retrain(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Train the derived network, from scratch by default, and export it."""
    data = PreparedData.open(inputs["prepare"])
    found = SearchResult.load(inputs["search"] / SearchResult.FILE)
    spec = spec.tuned(found.tuned)
    config = genotype_network(spec, data.manifest, found.genotype)
    if found.race:
        trained = inputs["search"] / WINNER
        course = Course(steps=found.race.steps, cool_down=found.race.done, precision=found.race.precision)
        continue_network(
            "found", config, data, spec, course, trained if trained.exists() else None, folder, progress
        )
    else:
        train_network("found", config, data, spec, folder, progress, start=starting_weights(spec))
    if not parallel.is_first():
        return
    write_text(folder / GENOTYPE, found.genotype.to_json())
    progress.log("retrain: exporting to pt2 and ONNX")
    network = load_network(folder)
    task, examples = config.network.task, data.train[:CHECKED_EXAMPLES].inputs
    info = task.model_info(data.manifest.inputs, found.genotype)
    info.save(folder / ModelInfo.FILE)
    export_pt2(network, examples, folder / PT2, info)
    export_onnx(network, examples, folder / ONNX, info, task.front())
