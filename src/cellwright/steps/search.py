"""`search`: from prepared data to a genotype."""

from pathlib import Path

from cellwright.data import PreparedData
from cellwright.files import write_text
from cellwright.genotype import Genotype
from cellwright.nn.build import build_supernet
from cellwright.nn.skeleton import seeded_initialisation
from cellwright.progress import Progress
from cellwright.seeds import derive_seed
from cellwright.spec import SampledSection, SearchSpec
from cellwright.steps._networks import CHECKPOINT, task_of, use_device
from cellwright.steps._step import Inputs, Step
from cellwright.strategies import SearchData, build_strategy

GENOTYPE, RESULT = "genotype.json", "search.json"


def search(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Search on the training and validation splits; write `search.json` and `genotype.json`."""
    assert not isinstance(spec.strategy, SampledSection)
    data = PreparedData.open(inputs["prepare"])
    device = use_device(spec)
    strategy = build_strategy(spec.strategy, spec.augment, seed=derive_seed(spec.seed, "search"))
    with seeded_initialisation(derive_seed(spec.seed, "supernet")):
        task = task_of(data.manifest).build()
        supernet = build_supernet(spec.space, task, channel_fraction=strategy.channel_fraction).to(device)
    result = strategy.fit(
        supernet,
        SearchData(train=data.train.to(device), validation=data.validation.to(device)),
        spec.budget,
        folder / CHECKPOINT,
        progress,
    )
    for event in result.events:
        progress.say(f"search: {event}")
    write_text(folder / GENOTYPE, Genotype.from_line(result.genotype).to_json())
    result.save(folder / RESULT)


SEARCH = Step(
    name="search",
    inputs=("prepare",),
    settings=lambda spec: spec.model_dump(
        mode="json", include={"seed", "augment", "space", "strategy", "budget"}
    ),
    run=search,
)
