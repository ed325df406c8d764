"""Trains one network into a folder and loads it from there, for the steps retrain, baselines and evaluate."""

import shutil
from pathlib import Path

import torch
from torch import nn

from cellwright.data import DataManifest
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.errors import DivergedError
from cellwright.files import atomic_path
from cellwright.genotype import Genotype
from cellwright.nn.cost import count_macs, count_params
from cellwright.nn.dropping import Droppable
from cellwright.progress import Progress
from cellwright.results import NETWORK, WEIGHTS, EpochRecord, TrainingResult, WeightsStart
from cellwright.seeds import derive_seed
from cellwright.spaces.building import GenotypeNetworkConfig, NetworkConfig
from cellwright.spec import SearchSpec
from cellwright.tasks.base import read_task
from cellwright.training import parallel
from cellwright.training.checkpoint import CHECKPOINT, load_tensors, restore_module, save_tensors
from cellwright.training.course import Course, CourseTraining
from cellwright.training.precision import best_device
from cellwright.training.retraining import Retraining
from cellwright.training.starting_weights import StartingWeights
from cellwright.training.stopped_network import STOPPED, save_stopped_network
from cellwright.training.stopping import on_sigterm


def genotype_network(spec: SearchSpec, manifest: DataManifest, genotype: Genotype) -> NetworkConfig:
    """Return the configuration of a genotype's network, at the size that the spec retrains at."""
    task = read_task(manifest.task)
    return NetworkConfig(network=GenotypeNetworkConfig(task=task, genotype=genotype, space=spec.final_space))


def train_network(
    name: str,
    config: NetworkConfig,
    data: PreparedData,
    spec: SearchSpec,
    folder: Path,
    progress: Progress,
    *,
    start: StartingWeights | None = None,
) -> None:
    """Train on train and validation, and write the network's description, weights and result to the folder."""
    if parallel.broadcast((folder / TrainingResult.FILE).exists()):
        return
    device = use_device(spec, parallel.local_world_size())
    network = config.build(seed=derive_seed(spec.seed, "initial weights")).to(device)
    taken = start.put_into(network) if start else None
    if taken:
        progress.log(
            f"train {name}: took {len(taken.taken)} tensors of {taken.source}; "
            f"{len(taken.new)} begin from nothing, {len(taken.left)} of its own had no place"
        )
    training = Retraining(
        network,
        data.train_and_validation().to(device),
        spec.retrain,
        spec.augment,
        task=config.network.task,
        seed=derive_seed(spec.seed, "retrain"),
        checkpoint=folder / CHECKPOINT,
    )
    if spec.retrain.drop_path and not isinstance(network, Droppable):
        progress.log(f"train {name}: retrain.drop_path is not applied: the network has no paths to drop")
    training.run(f"train {name}", progress)
    if parallel.is_first():
        _save(name, config, network, training, folder, taken)


def start_course(
    spec: SearchSpec,
    config: NetworkConfig,
    split: Split,
    course: Course,
    checkpoint: Path,
    *,
    start: StartingWeights | None = None,
) -> CourseTraining:
    """Return a training along a course, on the split's device. Resumes from the checkpoint if it exists."""
    network = config.build(seed=derive_seed(spec.seed, "initial weights"))
    if start:
        start.put_into(network)
    return CourseTraining(
        network.to(split.targets.device),
        split,
        spec.retrain,
        spec.augment,
        task=config.network.task,
        seed=derive_seed(spec.seed, "retrain"),
        checkpoint=checkpoint,
        course=course,
    )


def continue_network(
    name: str,
    config: NetworkConfig,
    data: PreparedData,
    spec: SearchSpec,
    course: Course,
    trained: Path | None,
    folder: Path,
    progress: Progress,
) -> None:
    """Finish the training that a race started, on train and validation, and write the same files as `train_network`.

    Args:
        name: name of the network.
        config: the network.
        data: training continues on its train and validation splits.
        spec: the training settings.
        course: the learning rate schedule.
        trained: the checkpoint of the race; None if the race did not train the network.
        folder: the output folder.
        progress: receives one report per epoch.
    """
    if parallel.broadcast((folder / TrainingResult.FILE).exists()):
        return
    checkpoint = folder / CHECKPOINT
    if trained and parallel.is_first() and not checkpoint.exists():
        with atomic_path(checkpoint) as temporary:
            shutil.copyfile(trained, temporary)
    parallel.barrier()
    device = use_device(spec, parallel.local_world_size())
    training = start_course(spec, config, data.train_and_validation().to(device), course, checkpoint)

    def show(record: EpochRecord) -> None:
        progress.advance(f"train {name}", training.steps, course.steps, record.metrics)

    def save() -> None:
        if parallel.is_first():
            save_stopped_network(training.averaged(), config, data, folder, progress)

    try:
        with on_sigterm(save):
            training.train_to(course.steps, show)
        network = training.finished()
    except DivergedError as error:
        raise DivergedError(f"train {name}: {error}") from None
    if parallel.is_first():
        _save(name, config, network, training, folder)


def _save(
    name: str,
    config: NetworkConfig,
    network: nn.Module,
    training: Retraining,
    folder: Path,
    start: WeightsStart | None = None,
) -> None:
    """Write the network's description, weights and result to the folder, and delete the checkpoint."""
    save_network(
        name,
        config,
        network,
        folder,
        seconds=training.seconds,
        history=tuple(training.history),
        start=start,
    )
    (folder / CHECKPOINT).unlink()
    shutil.rmtree(folder / STOPPED, ignore_errors=True)


def save_network(
    name: str,
    config: NetworkConfig,
    network: nn.Module,
    folder: Path,
    *,
    seconds: float = 0.0,
    history: tuple[EpochRecord, ...] = (),
    start: WeightsStart | None = None,
) -> None:
    """Write a network's description, weights and result to the folder.

    Args:
        name: name of the network.
        config: the network.
        network: the same, with its weights.
        folder: the output folder.
        seconds: duration of its own training; 0 if its weights are those of another network.
        history: of its own training.
        start: the pretrained weights.
    """
    config.save(folder / NETWORK)
    save_tensors(folder / WEIGHTS, network.state_dict())
    TrainingResult(
        name=name,
        genotype=getattr(config.network, "genotype", None),
        params=count_params(network),
        macs=count_macs(network, config.network.task.example(1)),
        seconds=seconds,
        history=history,
        start=start,
    ).save(folder / TrainingResult.FILE)


def load_network(folder: Path) -> nn.Module:
    """Return the trained network on the CPU, in eval mode."""
    network = NetworkConfig.load(folder / NETWORK).build(seed=0)
    restore_module(network, load_tensors(folder / WEIGHTS)[0])
    return network.eval()


def use_device(spec: SearchSpec, num_processes: int = 1) -> torch.device:
    """Return the device to use, and set this process's share of the threads that the spec allows per machine."""
    torch.set_num_threads(max(1, spec.resources.threads // num_processes))
    return best_device()
