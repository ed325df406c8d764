"""Proxies based on activation patterns."""

import torch
from torch import nn

from cellwright.estimators.zero_cost.probe import Probe, activation_codes


def naswot(network: nn.Module, probe: Probe) -> float:
    """Return log |K|, where K_ij is the number of units that examples i and j agree on.

    NASWOT: Mellor et al. 2021, https://arxiv.org/abs/2006.04647. The result is -inf if two examples have the same code.
    """
    size = len(probe.targets)
    agreement_BB = torch.zeros(size, size, dtype=torch.float64, device=probe.targets.device)
    for codes_BU, count in activation_codes(network, probe.inputs):
        on_BU = codes_BU.float()
        agreement_BB += count * (on_BU @ on_BU.T + (1 - on_BU) @ (1 - on_BU).T)
    return float(torch.linalg.slogdet(agreement_BB).logabsdet)


def swap(network: nn.Module, probe: Probe) -> float:
    """Return the number of different activation patterns of units over the examples.

    SWAP: Peng et al. 2024, https://arxiv.org/abs/2403.04161, without its regularisation, which needs a known good
    number of parameters. The result is 0 for a network without activations.
    """
    codes = [codes_BU for codes_BU, _ in activation_codes(network, probe.inputs)]
    return float(_distinct_columns(torch.cat(codes, dim=1))) if codes else 0.0


def _distinct_columns(codes_BU: torch.Tensor) -> int:
    words = []
    for part_BU in codes_BU.split(62):  # type: ignore[no-untyped-call]
        indices = 2 ** torch.arange(len(part_BU), device=codes_BU.device)
        words.append((part_BU.long() * indices[:, None]).sum(dim=0))
    if len(words) == 1:
        return len(torch.unique(words[0]))
    return len(torch.unique(torch.stack(words), dim=1).T)
