import torch

from cellwright.tasks.mixing import mix_up

TARGETS = torch.eye(8)
IMAGES = TARGETS.view(8, 1, 8, 1)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_mixing_keeps_targets_a_distribution_and_all_inputs_in_step():
    (mixed, others), soft = mix_up((IMAGES, 2 * TARGETS), TARGETS, 0.4, rng())
    assert not soft.equal(TARGETS)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(8))
    torch.testing.assert_close(mixed.view(8, 8), soft)
    torch.testing.assert_close(others, 2 * soft)


def test_numbers_are_mixed_as_distributions_are():
    values = torch.arange(8.0)
    (mixed,), soft = mix_up((values[:, None],), values, 0.4, rng())
    torch.testing.assert_close(mixed[:, 0], soft)


def test_nothing_is_mixed_unless_asked_for():
    (images,), soft = mix_up((IMAGES,), TARGETS, 0, rng())
    assert images is IMAGES
    assert soft is TARGETS
