"""Costs of a network: parameters, multiply-accumulates and measured latency."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def count_params(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_macs(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Return the multiply-accumulates of convolutions and matrix products for the given inputs."""
    from torch.utils.flop_counter import FlopCounterMode  # imports triton

    device = next(network.parameters()).device
    training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*(tensor.to(device) for tensor in inputs))
    network.train(training)
    return int(counter.get_total_flops()) // 2


def measure_latency(
    network: nn.Module,
    inputs: Sequence[Tensor],
    *,
    repeats: int,
    warmup: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return the latencies of `repeats` forward passes in milliseconds, sorted, measured after `warmup` passes."""
    device = next(network.parameters()).device
    inputs = [tensor.to(device) for tensor in inputs]
    milliseconds = []
    network.eval()
    with torch.inference_mode():
        for repeat in range(warmup + repeats):
            _wait_for(device)
            began = clock()
            network(*inputs)
            _wait_for(device)
            if repeat >= warmup:
                milliseconds.append(1e3 * (clock() - began))
    return sorted(milliseconds)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
