"""The policy of ENAS, a small recurrent network that makes one decision after another."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.genotype import Genotype
from cellwright.spaces import Space

Choose = Callable[[str, int, Tensor], int]
"""Maps a group, a decision and the logits of its choices to a choice."""


class Controller(nn.Module):
    """A distribution over the genotypes of a space, on the CPU.

    If a space keeps only some of the decisions that share a sum, the controller first draws which ones are kept. Then
    an LSTM draws the choice of each kept decision, given the earlier choices. The probability of a genotype thus
    depends on the genotype only.
    """

    def __init__(self, space: Space, hidden: int) -> None:
        super().__init__()
        self.space = space
        shapes = space.decisions
        self.indices = [
            (group, decision) for group, (count, _) in shapes.items() for decision in range(count)
        ]
        self.keep = nn.ParameterDict({group: torch.zeros(count) for group, (count, _) in shapes.items()})
        self.decision_input = nn.Embedding(len(self.indices), hidden)
        self.choice_input = nn.Embedding(1 + max(choices for _, choices in shapes.values()), hidden)
        self.recurrent = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleDict(
            {group: nn.Linear(hidden, choices) for group, (_, choices) in shapes.items()}
        )

    @torch.no_grad()
    def draw(self, rng: random.Random) -> Genotype:
        """Draw a genotype."""
        strengths = {
            group: [[0.0] * num_choices for _ in range(num_decisions)]
            for group, (num_decisions, num_choices) in self.space.decisions.items()
        }
        for group, logits in self.keep.items():
            noise = [-torch.tensor(rng.expovariate(1)).log().item() for _ in logits]
            # Sorting by logits plus Gumbel noise gives a draw without replacement.
            order = sorted(range(len(noise)), key=lambda d: logits[d].item() + noise[d])  # noqa: B023
            for rank, decision in enumerate(order, start=1):
                strengths[group][decision][0] = float(rank)
        kept = self.space.choices(self.space.derive(strengths))

        def choose(group: str, decision: int, logits: Tensor) -> int:
            choice = rng.choices(range(len(logits)), weights=logits.softmax(dim=0).tolist())[0]
            row = strengths[group][decision]
            row[0], row[choice] = 0.0, row[0]
            return choice

        for _ in self._walk(kept, choose):
            pass
        return self.space.derive(strengths)

    def assess(self, genotype: Genotype) -> tuple[Tensor, Tensor]:
        """Return the log-probability of the genotype, and the entropy of its decisions."""
        choices = self.space.choices(genotype)
        log_probability, entropy = self._assess_kept(choices)

        def choose(group: str, decision: int, logits: Tensor) -> int:
            choice = choices[group][decision]
            assert choice is not None
            return choice

        for log_probabilities, choice in self._walk(choices, choose):
            log_probability = log_probability + log_probabilities[choice]
            entropy = entropy - (log_probabilities.exp() * log_probabilities).sum()
        return log_probability, entropy

    def _walk(self, kept: Mapping[str, Sequence[int | None]], choose: Choose) -> Iterator[tuple[Tensor, int]]:
        """Visit the kept decisions; yield the log-probabilities of each one's choices, and the choice."""
        state: tuple[Tensor, Tensor] | None = None
        before = 0
        for index, (group, decision) in enumerate(self.indices):
            if kept[group][decision] is None:
                continue
            seen = self.decision_input.weight[index] + self.choice_input.weight[before]
            state = self.recurrent(seen[None], state)
            logits = self.heads[group](state[0][0])
            choice = choose(group, decision, logits)
            before = 1 + choice
            yield logits.log_softmax(dim=0), choice

    def _assess_kept(self, choices: Mapping[str, Sequence[int | None]]) -> tuple[Tensor, Tensor]:
        """Return log-probability and entropy of which decisions are kept."""
        log_probability = entropy = torch.zeros(())
        for group, logits in self.keep.items():
            sum_indices = self.space.sum_indices[group]
            for index in sorted(set(sum_indices)):
                members = [decision for decision, other in enumerate(sum_indices) if other == index]
                kept = [i for i, decision in enumerate(members) if choices[group][decision] is not None]
                if len(kept) < len(members):
                    log_probabilities = logits[members].log_softmax(dim=0)
                    log_probability = log_probability + _log_probability_of_set(log_probabilities, kept)
                    entropy = entropy - (log_probabilities.exp() * log_probabilities).sum()
        return log_probability, entropy


def _log_probability_of_set(log_probabilities: Tensor, drawn: Sequence[int]) -> Tensor:
    """Return the log-probability that the first draws without replacement give these entries, in any order."""
    orders = []
    for order in itertools.permutations(drawn):
        left, total = torch.ones(()), torch.zeros(())
        for entry in order:
            total = total + log_probabilities[entry] - left.log()
            left = left - log_probabilities[entry].exp()
        orders.append(total)
    return torch.stack(orders).logsumexp(dim=0)
