"""Saves a usable network when a training is asked to stop."""

from pathlib import Path

from torch import nn

from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.nn.export import export_onnx
from cellwright.progress import Progress
from cellwright.results import GENOTYPE, NETWORK, ONNX, WEIGHTS, ModelInfo
from cellwright.spaces.building import GenotypeNetworkConfig, NetworkConfig
from cellwright.training.checkpoint import save_tensors

STOPPED = "stopped"
"""Subfolder of a step for the best network at the time when the step was asked to stop."""
EXAMPLES = 64


def save_stopped_network(
    network: nn.Module, config: NetworkConfig, data: PreparedData, folder: Path, progress: Progress
) -> None:
    """Write a network, which is in eval mode on any device, to the subfolder `stopped` of a step's folder."""
    location = folder / STOPPED
    location.mkdir(exist_ok=True)
    assert isinstance(config.network, GenotypeNetworkConfig)
    network = network.cpu()
    info = config.network.task.model_info(data.manifest.inputs, config.network.genotype)
    info.save(location / ModelInfo.FILE)
    config.save(location / NETWORK)
    write_text(location / GENOTYPE, config.network.genotype.to_json())
    save_tensors(location / WEIGHTS, network.state_dict())
    export_onnx(network, data.train[:EXAMPLES].inputs, location / ONNX, info)
    progress.log(f"stopped: the network so far is {location / ONNX}; the same command resumes")
