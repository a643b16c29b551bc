"""cluster.yaml: what of a cluster members may use. No result depends on it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from specflow import paths
from specflow.errors import shown
from specflow.executor.slots import Needs
from specflow.section import Section
from specflow.section_errors import ParamsError, problems_of
from specflow.yaml_file import read_yaml

# Of sbatch; what specflow itself says of a job is not for them.
_OWN = (
    *("array", "begin", "chdir", "clusters", "cpus-per-task", "deadline", "error", "export"),
    *("help", "hold", "input", "job-name", "no-requeue", "ntasks", "open-mode", "output"),
    *("parsable", "test-only", "time", "time-min", "version", "wait", "wrap"),
)
_FORM = re.compile(r"--([a-z][a-z-]*)(=[^\0\n]*)?")


def _check_option(option: str) -> str:
    found = _FORM.fullmatch(option)
    if not found or any(own.startswith(found[1]) for own in _OWN):  # sbatch takes short forms
        raise ValueError(f"expected an option as --qos=long, and none of {', '.join(_OWN)}")
    return option


_Option = Annotated[str, AfterValidator(_check_option)]
_Name = Annotated[str, StringConstraints(pattern=r"^[^\s,=\x00][^\s\x00]*$")]


class Resources(Section):
    """What SLURM gives each task, which runs one member of a kind after the other.

    Attributes:
        cpus: Cores.
        memory_gib: Memory in GiB; None means what the partition gives.
        gpus: GPUs, 0 or 1.
        minutes: Greatest wall time. A member that reaches it is submitted again and resumes.
    """

    cpus: int = Field(gt=0)
    memory_gib: float | None = Field(default=None, gt=0)
    gpus: int = Field(default=0, ge=0, le=1)
    minutes: int = Field(gt=0)


class ClusterParams(Section):
    """A cluster as its users see it.

    Attributes:
        partition: Name of the partition; None means the default one.
        account: Who pays; None means the user's default.
        options: Further options of sbatch, such as "--qos=long".
        core: For members that keep one core or a GPU busy: trainings, prunings, connections.
        machine: For members that use all cores they are given: spectra, tickets, checkpoints.
        array_limit: Members of one array; below the cluster's MaxArraySize.
        members_at_once: Members of one array that run side by side; None means as many as fit.
        slots: Members that run side by side in all, for `specflow plan`.
        poll_seconds: Between two questions to the controller.
    """

    partition: _Name | None = None
    account: _Name | None = None
    options: tuple[_Option, ...] = ()
    core: Resources
    machine: Resources
    array_limit: int = Field(default=1000, gt=0)
    members_at_once: int | None = Field(default=None, gt=0)
    slots: int | None = Field(default=None, gt=0)
    poll_seconds: float = Field(default=10, gt=0)

    def resources(self, needs: Needs) -> Resources:
        """Return what a member gets that needs a core, or a machine."""
        return self.core if needs == "core" else self.machine


def cluster_here() -> ClusterParams | None:
    """Return the cluster of `SPECFLOW_CLUSTER`; None if members run on this machine.

    Raises:
        ParamsError: With every error of the file.
    """
    path = paths.cluster_file()
    return read_cluster(path) if path else None


def read_cluster(path: Path) -> ClusterParams:
    """Return what a file says of a cluster.

    Raises:
        ParamsError: With every error of the file, each with its path, value and expectation.
    """
    try:
        raw = read_yaml(path)
    except ValueError as error:
        raise ParamsError(str(path), [str(error)]) from error
    if not isinstance(raw, Mapping):
        keys = ", ".join(ClusterParams.model_fields)
        raise ParamsError(str(path), [f"got {shown(raw)}; expected the keys {keys}"])
    data = {**raw, "options": _as_tuple(raw.get("options", ()))}
    try:
        return ClusterParams.model_validate(data)
    except ValidationError as error:
        raise ParamsError(str(path), problems_of(error, ClusterParams, data)) from error


def _as_tuple(value: object) -> object:
    """Return a list as what strict sections hold; all else as it is, to be refused."""
    return tuple(value) if isinstance(value, list) else value
