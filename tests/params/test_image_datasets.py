import pytest

from specflow.datasets import cifar10
from specflow.params.datasets import Cifar10Params

CIFAR10 = {"kind": "cifar10", "image_size": 32, "validation_fraction": 0.1, "seed": 0}
MNIST = {"kind": "mnist", "image_size": 32, "validation_fraction": 0.1, "seed": 0}
DIGITS = {"kind": "digits", "image_size": 32, "validation_fraction": 0.1, "seed": 0}


@pytest.mark.parametrize("section", [CIFAR10, MNIST, DIGITS])
@pytest.mark.parametrize("labels", [{}, {"permuted_labels": True}])
def test_images_of_every_source_can_be_declared(problems_with, section, labels):
    assert problems_with({"datasets.images": section | labels}) == []


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        (CIFAR10, "image_size", 31, "32"),
        (MNIST, "image_size", 27, "28"),
        (CIFAR10, "validation_fraction", 0.0, "0.0001"),
        (MNIST, "validation_fraction", 1.0, "0.9999"),
        (MNIST, "seed", -1, "0"),
        (DIGITS, "permuted_labels", 1, "boolean"),
        (CIFAR10, "permuted_labels", "yes", "boolean"),
    ],
)
def test_bad_value_is_named_with_what_is_expected(problems_with, section, key, value, expected):
    problems = problems_with({"datasets.digits": section | {key: value}})
    assert len(problems) == 1
    assert problems[0].startswith(f"datasets.digits.{key}: ")
    assert repr(value) in problems[0]
    assert expected in problems[0]


def test_image_size_that_the_model_cannot_read_is_named(problems_with):
    problems = problems_with({"datasets.digits": CIFAR10 | {"image_size": 40}})
    assert "vgg reads images of 32 x 32 pixels; got 40 (dataset digits)" in problems[0]


def test_sizes_of_cifar10_are_known_without_its_file() -> None:
    params = Cifar10Params.model_validate(CIFAR10)
    assert (params.num_train, params.num_validation) == (45_000, 5_000)
    assert 5 * cifar10.BATCH_SIZE == 50_000
