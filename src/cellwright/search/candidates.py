"""The space of candidates of a spec."""

from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import SearchSpec


def candidate_space(spec: SearchSpec) -> CandidateSpace:
    """Return the space of a sampled search."""
    return CandidateSpace(build_space(spec.space), spec.hyperparameters)
