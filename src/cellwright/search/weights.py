"""Weights that a retraining starts from: those of an earlier one, or of a registered model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.files import file_digest
from cellwright.results import WEIGHTS, WeightsStart
from cellwright.spec import SearchSpec
from cellwright.tracking.addresses import download, version_of
from cellwright.training.checkpoint import load_tensors


@dataclass(frozen=True)
class StartingWeights:
    """The state dict of a network that was trained before."""

    source: str
    tensors: Mapping[str, Tensor]

    @torch.no_grad()
    def put_into(self, network: nn.Module) -> WeightsStart:
        """Take over what the network has under the same name and in the same shape; tell what that was.

        The statistics that images are standardised by stay: they are of the data, not learnt.

        Raises:
            CellwrightError: not one weight agrees.
        """
        learnt = {name for name, _ in network.named_parameters()}
        own = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if name in learnt or name.endswith((".running_mean", ".running_var"))
        }
        taken = [
            name
            for name, tensor in own.items()
            if name in self.tensors and self.tensors[name].shape == tensor.shape
        ]
        if not learnt.intersection(taken):
            raise CellwrightError(
                f"retrain.start must share a weight of one name and shape with the network, got {self.source}"
            )
        for name in taken:
            own[name].copy_(self.tensors[name])
        return WeightsStart(
            source=self.source,
            taken=tuple(taken),
            left=tuple(sorted(self.tensors.keys() - set(taken))),
            new=tuple(name for name in own if name not in taken),
        )


def starting_weights(spec: SearchSpec) -> StartingWeights | None:
    """Return the weights that the spec's retraining starts from; None where from nothing."""
    match spec.retrain.start:
        case None:
            return None
        case Path() as path:
            return StartingWeights(str(path), load_tensors(_file(path))[0])
        case address:
            with TemporaryDirectory(prefix="cellwright-") as folder:
                tensors, _ = load_tensors(download(spec, address, WEIGHTS, Path(folder)))
            return StartingWeights(version_of(spec, address), tensors)


def started_from(spec: SearchSpec) -> str | None:
    """Return what tells the weights from others: a digest of the file, or the model's version."""
    match spec.retrain.start:
        case None:
            return None
        case Path() as path:
            return file_digest(_file(path))
        case address:
            return version_of(spec, address)


def _file(path: Path) -> Path:
    return path if path.is_file() else path / WEIGHTS
