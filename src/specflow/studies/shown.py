"""Which matrices and pairs are shown entry by entry, in full or in small panels."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from specflow.errors import SpecflowError, one_of
from specflow.section import Section, Text

Key = Literal["matrix", "pair"]
_Names = Annotated[tuple[Text, ...], Field(strict=False)]


class Chosen(Section):
    """Names of matrices, or labels of pairs, whose spectra and diagonals go into tables.

    Attributes:
        full: Those that are shown in full; figures of one matrix or pair show the first.
        small: Further ones that are shown in small panels, for which fewer numbers are enough.
    """

    full: _Names = ()
    small: _Names = ()


class ShownParams(Section):
    """What is shown entry by entry of an experiment, or of checkpoints.

    Attributes:
        matrix: Name of the matrix whose singular values and diagonals are shown in full; None means
            the middle one by depth.
        pair: Label of the pair of neighbours whose diagonal is shown in full; None likewise.
        matrices: Names of the matrices that get a small panel each in figures of singular values
            and agreement, or all.
        pairs: Labels of the pairs that get one in a figure of alignment, or all.
    """

    matrix: Text | None = None
    pair: Text | None = None
    matrices: Literal["all"] | _Names = ()
    pairs: Literal["all"] | _Names = ()

    def several(self, key: Key, names: Sequence[str]) -> Sequence[str]:
        """Return those of `names` that get a small panel, in the order of `names`."""
        asked = self._asked_several(key)
        return names if asked == "all" else [name for name in names if name in asked]

    def chosen(
        self, path: str, key: Key, names: Sequence[str], panel: Mapping[str, str] | None = None
    ) -> Chosen:
        """Return what is chosen of `names`, which are in order of depth.

        Args:
            path: Where this section stands in params.yaml.
            key: What the names are of.
            names: Names of all matrices, or labels of all pairs.
            panel: What a panel of several experiments shows, by its path; it comes after the own
                one, and if none is named here takes its place.

        Raises:
            SpecflowError: If something that is named is not one of `names`.
        """
        own = self.matrix if key == "matrix" else self.pair
        asked: dict[str, str | None] = {} if own is None and panel else {f"{path}.{key}": own}
        full = [
            _known(place, name, names)
            for place, name in {**asked, **(panel or {})}.items()
            if name is not None or names
        ]
        several = self._asked_several(key)
        for name in () if several == "all" else several:
            _known(f"{path}.{_SEVERAL[key]}", name, names)
        small = [name for name in self.several(key, names) if name not in full]
        return Chosen(full=tuple(dict.fromkeys(full)), small=tuple(small))

    def _asked_several(self, key: Key) -> Literal["all"] | tuple[str, ...]:
        return self.matrices if key == "matrix" else self.pairs


_SEVERAL: dict[Key, str] = {"matrix": "matrices", "pair": "pairs"}


def _known(path: str, name: str | None, names: Sequence[str]) -> str:
    """Return a name, or the middle one of all.

    Raises:
        SpecflowError: If it is not one of `names`.
    """
    found = names[len(names) // 2] if name is None else name
    if found not in names:
        raise SpecflowError(f"{path}: got {name!r}; {one_of(names)}")
    return found
