import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.builders import SPOKEN_DIGITS, made, needs_speech, transcripts

from specflow.datasets import spoken_digits, synthesizer
from specflow.datasets.spoken_digits import VOICES, Line, SpokenDigitsParams
from specflow.errors import SpecflowError

needs_extra = needs_speech("espeakng_loader")


def params(**changes: object) -> SpokenDigitsParams:
    return SpokenDigitsParams.model_validate(SPOKEN_DIGITS | changes)


def test_every_voice_is_named_once() -> None:
    assert len(set(VOICES)) == len(VOICES) == 64


def test_validation_voices_are_held_out() -> None:
    chosen = params(train_voices=48, validation_voices=16)
    train = spoken_digits.voices(chosen, "train")
    validation = spoken_digits.voices(chosen, "validation")
    assert (len(set(train)), len(set(validation))) == (48, 16)
    assert not set(train) & set(validation)
    assert spoken_digits.voices(params(seed=1), "train") != spoken_digits.voices(params(), "train")


def test_lines_are_digits_within_the_ranges_by_all_voices() -> None:
    script = spoken_digits.lines(params(num_train=400), "train")
    words = [line.text.split() for line in script]
    assert {len(line) for line in words} == {2, 3, 4}
    assert {word for line in words for word in line} == set(spoken_digits.WORDS)
    noise = [line.noise for line in script]
    assert 10 <= min(noise) < 11
    assert 29 < max(noise) <= 30
    assert {line.voice for line in script} == set(spoken_digits.voices(params(), "train"))


def test_a_larger_dataset_starts_with_the_lines_of_a_smaller_one() -> None:
    few, many = (spoken_digits.lines(params(num_train=count), "train") for count in (12, 40))
    assert many[:12] == few


def test_streams_of_random_numbers_are_not_the_same() -> None:
    streams = [(3,), *((part, index, use) for part in (1, 2) for index in (0, 1) for use in (1, 2))]
    first = [spoken_digits._generator(params(), *stream).random() for stream in streams]
    assert len(set(first)) == len(streams)


def test_noise_has_the_power_asked_for() -> None:
    generator = np.random.default_rng(0)
    speech, noise = generator.standard_normal((2, 200_000)) * [[300.0], [1.0]]
    added = spoken_digits.add_noise(speech, noise, 20.0) - speech
    assert 10 * np.log10(np.mean(speech**2) / np.mean(added**2)) == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_digits": (5, 2)}, r"num_digits = \[5, 2\]; expected the smaller number first"),
        ({"noise": (30.0, 10.0)}, r"noise = \[30.0, 10.0\]; expected the smaller number first"),
        ({"train_voices": 60, "validation_voices": 8}, "= 68; expected at most 64"),
    ],
)
def test_params_that_do_not_fit_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        params(**changes)


@needs_extra
def test_the_dataset_is_what_params_say(tmp_path: Path) -> None:
    dataset = made(SPOKEN_DIGITS, tmp_path)
    for split, count in (("train", 12), ("validation", 6)):
        part = getattr(dataset, split)
        assert part["inputs"].shape[0] == count == len(part["target_lengths"])
        assert part["inputs"].shape[2] == params().shape.num_features
        script = spoken_digits.lines(params(), split)
        assert transcripts(part) == [line.text for line in script]


@needs_extra
def test_every_voice_is_known_and_sounds_like_no_other() -> None:
    script = [Line(voice, "one", 20.0) for voice in VOICES]
    sounds = [sound.tobytes() for sound in spoken_digits.speak(script)]
    assert len(set(sounds)) == len(VOICES)
    assert min(map(len, sounds)) > 2 * 0.1 * synthesizer.SAMPLE_RATE


@needs_extra
def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(SpecflowError, match="synthesizer failed at 'one' as xx-nowhere"):
        list(spoken_digits.speak([Line("xx-nowhere", "one", 20.0)]))


@needs_extra
def test_resampling_keeps_a_tone() -> None:
    rate = synthesizer.SAMPLE_RATE
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    found = spoken_digits.resample(np.rint(tone * 30_000).astype(np.int16))
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * 30_000
    assert len(found) == 16_000
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=60)


def test_the_synthesizer_imports_nothing_of_the_library() -> None:
    script = Path(synthesizer.__file__)
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sorted(sys.modules))"
    command = [sys.executable, "-c", code, str(script)]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "ctypes" in modules
    assert not [name for name in modules if name.split(".")[0] in ("specflow", "torch", "numpy")]


@pytest.mark.slow
@needs_extra
@pytest.mark.parametrize("num_digits", [(2, 4), (8, 8)])
def test_estimated_frames_are_close_to_the_mean(tmp_path: Path, num_digits: tuple) -> None:
    section = SPOKEN_DIGITS | {"num_train": 96, "train_voices": 48, "num_digits": num_digits}
    frames = made(section, tmp_path).train["input_lengths"].double().mean()
    assert params(num_digits=num_digits).mean_frames == pytest.approx(float(frames), rel=0.1)
