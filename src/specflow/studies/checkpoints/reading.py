"""From params to checkpoints and their wiring; our own trajectories tell what lies transposed."""

import sys
from glob import escape
from pathlib import Path

from pydantic import BaseModel

from specflow.checkpoints.files import FileCheckpoints
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.checkpoints.stream import contents_of
from specflow.datasets.shapes import DataShape
from specflow.models.network import Model
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.wiring import Wiring
from specflow.wiring.recognize import wiring_of


class _OwnNetwork(BaseModel):
    """What decides the network of a trajectory, among all that its config keeps."""

    model: Model
    shape: DataShape


def read_checkpoints(params: ReadingParams, root: Path) -> tuple[FileCheckpoints, Wiring]:
    """Return checkpoints and their wiring after reading what each step says it holds.

    Args:
        params: Files, layout and what to leave out.
        root: The folder that paths and patterns are relative to.

    Returns:
        The checkpoints, and the wiring of what most steps hold; no weight has been read.

    Raises:
        SpecflowError: If a file is broken, or a name or a shape does not fit the layout.
    """
    checkpoints = FileCheckpoints(params, root)
    trajectories = checkpoints.trajectories.items()
    own = [escape(name) for found in trajectories for name in _inputs_first(*found)]
    transposed = tuple(dict.fromkeys((*params.transposed, *own)))
    layout = params.model_copy(update={"transposed": transposed})
    return checkpoints, wiring_of(contents_of(checkpoints).expected, layout)


def _inputs_first(path: Path, trajectory: TrajectoryCheckpoints) -> list[str]:
    """Return the parameters of a trajectory whose inputs come first, as its config tells."""
    try:
        network = _OwnNetwork.model_validate_json(trajectory.origin.config)
        wiring = network.model.wiring(network.shape)
    except ValueError:
        known = "inputs come first where `transposed` says so, nowhere else"
        print(f"{path}: its config is not of this version: {known}", file=sys.stderr)
        return []
    return [matrix.view.tensor for matrix in wiring.matrices if matrix.view.transposed]
