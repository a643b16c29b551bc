import numpy as np
import pytest

from specflow import paths
from specflow.datasets.cifar10 import Cifar10Params
from specflow.datasets.images import write_images
from specflow.datasets.storage import load, write_dataset
from specflow.hdf5 import create, write
from specflow.measure.layouts import SAMPLES
from specflow.studies.samples.settings import Sampling
from specflow.studies.samples.study import SampleParams, hexadecimal

LOW, HIGH = np.array([-1.0, 0.0]), np.array([1.0, 10.0])


def image(*pixels):
    """An image of one row of pixels of two channels."""
    return np.array([pixels])


def test_levels_are_those_that_the_dataset_was_made_from(tmp_path):
    levels = np.random.default_rng(0).permutation(3 * 32 * 32).reshape(1, 3, 32, 32) % 256
    levels = np.concatenate([levels] * 4).astype(np.uint8)
    params = Cifar10Params(kind="cifar10", image_size=32, validation_fraction=0.5, seed=0)
    with write_dataset(tmp_path / "x.h5", params) as writer:
        write_images(params, writer, levels, np.arange(4), (np.array([0, 1]), np.array([2, 3])))
    inputs = load(tmp_path / "x.h5").train["inputs"]
    low, high = inputs.amin((0, 2, 3)).numpy(), inputs.amax((0, 2, 3)).numpy()
    found = hexadecimal(np.moveaxis(inputs[0].numpy(), 0, -1), low, high)
    assert found == np.moveaxis(levels[0], 0, -1).tobytes().hex()


def test_channels_of_a_pixel_stand_side_by_side_each_on_its_own_scale():
    assert hexadecimal(image([-1.0, 10.0], [0.0, 0.0]), LOW, HIGH) == "00ff" + "8000"


def test_values_beyond_black_and_full_light_are_cut_off():
    assert hexadecimal(image([-7.0, 1e9]), LOW, HIGH) == "00ff"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_image_that_is_not_finite_has_no_pixels(value):
    assert hexadecimal(image([0.0, 1.0], [0.0, value]), LOW, HIGH) == ""


def test_table_has_a_row_for_each_image_of_each_variant(workplace):
    with create(paths.samples("faces"), SAMPLES, {}) as file:
        write(file, "low", [0.0])
        write(file, "high", [1.0])
        for name in ("full/1.0", "top/0.5", "bottom/0.5"):
            write(file, name, np.linspace(0, 1, 12).reshape(2, 1, 2, 3))
    sampling = Sampling(experiment="unet", run_seed=0, num_images=2, noise_seed=0)
    table = SampleParams.tables({"faces": sampling})["samples"]
    pixels = ("00172e465d74", "8ba2b9d1e8ff")
    assert table.to_numpy().tolist() == [
        ["faces", "unet", keep, fraction, image, 2, 3, 1, pixels[image]]
        for keep, fraction in (("full", 1.0), ("top", 0.5), ("bottom", 0.5))
        for image in (0, 1)
    ]
