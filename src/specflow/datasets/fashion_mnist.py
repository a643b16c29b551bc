"""Fashion-MNIST: 60,000 images of clothes to train on (Xiao et al. 2017), in the form of MNIST."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from specflow.datasets.images import ImageParams
from specflow.datasets.mnist import SIZE, read_idx
from specflow.datasets.raw_files import RawFile, fetch

NUM_IMAGES = 60_000
_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)


def _file(name: str, size: int, sha256: str) -> RawFile:
    """Return a file in a folder of its own, since those of MNIST have the same names."""
    return RawFile(f"fashion-mnist/{name}", size, sha256, tuple(site + name for site in _MIRRORS))


IMAGES = _file(
    "train-images-idx3-ubyte.gz",
    26_421_880,
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
)
LABELS = _file(
    "train-labels-idx1-ubyte.gz",
    29_515,
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
)


class FashionMnistParams(ImageParams):
    """The 60,000 training images of Fashion-MNIST (Xiao et al. 2017), some to validate on."""

    kind: Literal["fashion_mnist"]
    image_size: Annotated[int, Field(ge=28)]
    validation_fraction: Annotated[float, Field(ge=0.0001, le=0.9999)]
    num_images: ClassVar[int] = NUM_IMAGES

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the clothes, downloaded if they are not there."""
        images = read_idx(fetch(IMAGES), (NUM_IMAGES, SIZE, SIZE))
        labels = read_idx(fetch(LABELS), (NUM_IMAGES,))
        return images[:, None], labels.astype(np.int64)
