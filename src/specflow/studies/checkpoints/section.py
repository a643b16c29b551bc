"""Sections of checkpoints made elsewhere."""

from collections.abc import Mapping

from specflow.section import Section
from specflow.studies.checkpoints.collected import Collected
from specflow.studies.checkpoints.settings import CheckpointsSettings
from specflow.studies.study import Known, Shown, Study


class CheckpointsParams(Study, CheckpointsSettings):
    """Checkpoints of one network that were made elsewhere."""

    def settings(self, name: str, known: Known) -> Mapping[str, Section]:
        """Return the settings of analyze."""
        return {"analyze": CheckpointsSettings(**dict(self))}

    def collected(self, name: str, known: Known, shown: Shown) -> Section:
        """Return what the tables of the checkpoints are made of."""
        matrix, pair = shown.named(name)
        return Collected(matrix=matrix, pair=pair)
