"""`retrain`: from a genotype to trained weights, and to files that run anywhere."""

from pathlib import Path

from cellwright.data import PreparedData
from cellwright.files import write_text
from cellwright.genotype import Genotype
from cellwright.nn.export import export_onnx, export_pt2
from cellwright.progress import Progress
from cellwright.results import SearchResult
from cellwright.search.networks import genotype_network, load_network, train_network
from cellwright.search.weights import started_from, starting_weights
from cellwright.spec import SearchSpec
from cellwright.steps import search
from cellwright.steps.live import logged_live
from cellwright.steps.step import Inputs, Step
from cellwright.training import parallel

ONNX, PT2 = "model.onnx", "model.pt2"
CHECKED_EXAMPLES = 64


@logged_live
def retrain(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Train the derived network, from scratch unless said, and export it."""
    data = PreparedData.open(inputs["prepare"])
    found = SearchResult.load(inputs["search"] / search.RESULT)
    spec = spec.tuned(found.tuned)
    config = genotype_network(spec, data.manifest, found.genotype)
    train_network("found", config, data, spec, folder, progress, start=starting_weights(spec))
    if not parallel.is_first():
        return
    write_text(folder / search.GENOTYPE, Genotype.from_line(found.genotype).to_json())
    progress.say("retrain: exporting to pt2 and ONNX")
    network = load_network(folder)
    x_BCHW = data.train.images[:CHECKED_EXAMPLES]
    export_pt2(network, x_BCHW, folder / PT2)
    export_onnx(network, x_BCHW, folder / ONNX)


RETRAIN = Step(
    name="retrain",
    inputs=("prepare", "search"),
    settings=lambda spec: {
        **spec.model_dump(mode="json", include={"seed", "augment", "space", "retrain"}),
        "start": started_from(spec),
    },
    run=retrain,
    is_shared=True,
)
