"""What networks hear, and how training clips are changed."""

from typing import Any

import numpy as np
import pytest
import torch

from cellwright.tasks.audio.augmentation import augment_clips
from cellwright.tasks.audio.files import MELS, AudioFiles
from cellwright.tasks.audio.mel import HEARD, LogMel
from cellwright.tasks.audio.section import AudioAugment
from tests.tasks.audio.wavs import sine

FILES = AudioFiles(rate=8000, samples=4000)
OFF = {"shift": 0, "gain": 0, "noise": 0, "time_mask": 0, "frequency_mask": 0}


def picture(samples: np.ndarray | torch.Tensor, files: AudioFiles = FILES) -> torch.Tensor:
    adapter = LogMel(files, (0.0,) * MELS, (1.0,) * MELS)
    return adapter(torch.as_tensor(samples)[None])[0, 0]


@pytest.mark.parametrize("rate", [2000, 8000, 11025, 16000, 44100, 48000])
def test_the_picture_has_the_shape_that_the_files_say(rate: int):
    files = AudioFiles(rate=rate, samples=rate // 2)
    assert picture(sine(300, rate), files).shape == files.map_shape[1:]
    assert min(files.map_shape[1:]) >= 8


def test_a_sine_is_in_its_band_at_its_loudness_and_silence_is_zero():
    low, high = (picture(sine(hertz, amplitude=1)) for hertz in (250, 3000))
    assert (low.argmax(0) == low.argmax(0)[0]).all() and low.argmax(0)[0] < high.argmax(0)[0]
    centre = picture(sine(1000, amplitude=1)).mean(1).argmax()
    quieter = picture(sine(1000, amplitude=0.1))[centre].mean()
    louder = picture(sine(1000, amplitude=1))[centre].mean()
    assert louder - quieter == pytest.approx(2 * np.log(10), abs=0.02)
    assert 0 < np.log1p(0.5 / HEARD) - louder < 1.5
    assert not picture(np.zeros(4000, np.int16)).any()


def test_all_frequencies_have_a_band():
    for rate in (2000, 8000, 48000):
        bands = LogMel(AudioFiles(rate=rate, samples=rate), (0.0,) * MELS, (1.0,) * MELS).bands
        assert (bands.sum(0) > 0).all() and (bands[1:-1].sum(1) > 0).all()


def test_bfloat16_of_training_does_not_reach_the_picture():
    noise = torch.randint(-9000, 9000, (1, 4000), dtype=torch.int16)
    adapter = LogMel(FILES, (0.0,) * MELS, (1.0,) * MELS)
    with torch.autocast("cpu", torch.bfloat16):
        inside = adapter(noise)
    torch.testing.assert_close(inside, adapter(noise), rtol=0, atol=0)


def changed(samples: np.ndarray, **keys: Any) -> torch.Tensor:
    section = AudioAugment.model_validate({**OFF, **keys})
    batch = torch.as_tensor(samples).expand(32, -1)
    return augment_clips(batch, section, 8000, torch.Generator().manual_seed(0))


def test_augmentations_do_what_they_say():
    tone = sine(997)
    batch = torch.as_tensor(tone).expand(32, -1)
    assert torch.equal(changed(tone), batch)
    level = changed(tone, gain=6).float().std(1) / batch.float().std(1)
    assert 0.49 < level.min() < 0.7 and 1.4 < level.max() < 2.01
    noise = (changed(tone, noise=0.1).float() - batch).std(1) / batch.float().std(1)
    assert noise.min() < 0.03 and 0.07 < noise.max() < 0.11
    moved = changed(tone, shift=0.25)
    silent = (moved == 0).float().mean(1)
    assert 0.15 < silent.max() < 0.26 and silent.min() < 0.05
    masked = changed(tone, time_mask=0.5)
    assert ((masked == 0) | (masked == batch)).all()
    assert 0.3 < (masked == 0).float().mean(1).max() < 0.51


def test_a_band_of_frequencies_is_removed():
    noise = np.int16(np.random.default_rng(0).normal(size=4000) * 3000)
    before = picture(noise).mean(1)
    lost = torch.stack([(before - picture(one).mean(1)) > 3 for one in changed(noise, frequency_mask=0.5)])
    share = lost.float().mean(1)
    assert 0.3 < share.max() < 0.51 and share.min() < 0.1
    edges = lost.int().diff(dim=1).abs().sum(1)
    assert edges.max() <= 2
