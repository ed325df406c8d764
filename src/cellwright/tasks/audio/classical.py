"""The classical baseline for audio clips: the log-mel picture pooled over time, and a linear model."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH = 64


def build_logistic() -> Any:
    """Return a logistic regression that is not fitted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))


@torch.no_grad()
def pooled(adapter: nn.Module, x_BL: Tensor) -> NDArray[np.float32]:
    """Return mean, deviation and maximum of each band over time (N, 3 × MELS), and the deviation of its changes."""
    found = []
    for part in torch.split(x_BL, BATCH):
        map_BMT = adapter(part).squeeze(1)
        changes = map_BMT.diff(dim=2).std(dim=2)
        found.append(torch.cat((map_BMT.mean(2), map_BMT.std(2), map_BMT.amax(2), changes), dim=1))
    features: NDArray[np.float32] = torch.cat(found).numpy()
    return features
