"""`steadiness`: how much of its score the found network keeps where test examples are changed at random."""

from pathlib import Path

import torch

from cellwright.canonical import canonical_json
from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.tasks.base import read_task
from cellwright.training.networks import load_network, use_device
from cellwright.training.randomness import generator
from cellwright.training.retraining import predict

BATCH_SIZE = 256
DRAWS = 5
RESULT = "steadiness.json"


def steadiness(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Score the network on test examples as they are, and changed as training examples are; write both scores."""
    data, device = PreparedData.open(inputs["prepare"]), use_device(spec)
    task, network = read_task(data.manifest.task), load_network(inputs["retrain"]).to(device)
    test, rng = data.test.to(device), generator(spec.seed, "steadiness")
    scores = [task.score(predict(network, test), test.targets)]
    for _ in range(DRAWS):
        changed = [task.augment(inputs, spec.augment, rng) for inputs, _ in test.ordered_batches(BATCH_SIZE)]
        with torch.inference_mode():
            outputs = torch.cat([network.eval()(*inputs) for inputs in changed])
        scores.append(task.score(outputs, test.targets))
        progress.log(f"steadiness: {scores[-1]:.4f} on changed test examples, {scores[0]:.4f} on others")
    write_text(folder / RESULT, canonical_json({"as_they_are": scores[0], "changed": scores[1:]}))
