"""What every dataset has: a section of params.yaml that knows its sizes and writes its arrays."""

import importlib.util
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from specflow.datasets.shapes import DataShape
from specflow.datasets.storage import DatasetWriter, Split, write_dataset
from specflow.errors import SpecflowError
from specflow.section import ByKind, KindSection, Section


class DatasetSection(KindSection):
    """A dataset section: what is made, known in its sizes before it is.

    Attributes:
        is_text: Whether samples are windows of text, on which language is modelled.
    """

    package: ClassVar[str] = "specflow.datasets"
    is_text: ClassVar[bool] = False

    if TYPE_CHECKING:  # fields of some kinds, computed by others: pydantic takes no such choice

        @property
        def num_train(self) -> int:
            """Number of training samples."""

        @property
        def num_validation(self) -> int:
            """Number of validation samples."""

        @property
        def shape(self) -> DataShape:
            """Shape of a sample."""

    def num_samples(self, split: Split) -> int:
        """Return the number of samples of a part."""
        return self.num_train if split == "train" else self.num_validation

    @property
    def mean_frames(self) -> float | None:
        """Estimated mean number of frames of a training utterance; None if it is no speech."""
        return None

    def prepare(self, path: Path) -> None:
        """Make the dataset and write it as HDF5, with the same bytes whenever it is made.

        Raises:
            SpecflowError: If source data are missing or not the expected ones, or if the file
                cannot be written (a full disk); nothing is left of it.
        """
        with write_dataset(path, self) as writer:
            self.write(writer)

    @abstractmethod
    def write(self, writer: DatasetWriter) -> None:
        """Write all arrays; raises SpecflowError as `prepare` says."""


Dataset = Annotated[DatasetSection, ByKind()]


class PrepareSettings(Section):
    """The dataset to be prepared."""

    dataset: Dataset


def package_folder(name: str, extra: str) -> Path:
    """Return the folder of a package that an extra brings; it is not imported.

    Raises:
        SpecflowError: If it is not installed; the message says what installs it.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SpecflowError(
            f"the package {name}, which these data need, is not here; "
            f"`pip install -c constraints.txt -e '.[{extra}]'` installs it"
        )
    return Path(found.origin).parent
