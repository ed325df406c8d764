"""Which candidates a sampled search may evaluate."""

from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import SearchSpec


def candidate_space(spec: SearchSpec) -> CandidateSpace:
    """Return the space of a sampled search."""
    return CandidateSpace(build_space(spec.space), spec.hyperparameters)
