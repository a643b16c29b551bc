"""Every artifact's place, relative to the project's root. Nothing else knows a file name."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
RESULTS = Path("results")
CONFIG = RESULTS / "config.json"
TABLES = RESULTS / "tables"
FIGURES = RESULTS / "figures"
FIGURES_INDEX = RESULTS / "figures.json"
SUMMARY = RESULTS / "summary.json"
METRICS = RESULTS / "metrics.json"
CLAIMS = RESULTS / "claims.json"
REPORT = RESULTS / "report" / "index.html"
MEASURES = RESULTS / "measures"


def stage_script(stage: str) -> Path:
    """Return where the script of a stage lies."""
    return Path("stages") / f"{stage}.py"


def dataset(name: str) -> Path:
    """Return where a prepared dataset lies."""
    return RESULTS / "data" / f"{name}.h5"


def raw_data() -> Path:
    """Return the folder of downloaded files, shared with the copies of queued experiments."""
    return _main_checkout() / "data" / "raw"


def seed_name(seed: int) -> str:
    """Return the name of the run of an experiment that has this seed."""
    return f"seed{seed}"


def split_name(trunks: int | str, split_step: int, scale: float = 0.0) -> str:
    """Return the name of a split point of a trunk or of two ("0-1"): "seed0_step216_scale0.5"."""
    perturbed = f"_scale{scale}" if scale else ""
    return f"seed{trunks}_step{split_step}{perturbed}"


def branch_name(trunk_seed: int, split_step: int, branch: int, scale: float = 0.0) -> str:
    """Return the name of one branch of a connection."""
    return f"{split_name(trunk_seed, split_step, scale)}_branch{branch}"


def runs(experiment: str) -> Path:
    """Return the folder of the runs of an experiment."""
    return RESULTS / "runs" / experiment


def branches(connection: str) -> Path:
    """Return the folder of the branches of a connection."""
    return RESULTS / "branches" / connection


def tickets(ticket: str) -> Path:
    """Return the folder of the runs of a ticket."""
    return RESULTS / "tickets" / ticket


def measures(kind: str, name: str) -> Path:
    """Return the folder of what was measured of an experiment, a connection, a ticket, or else."""
    return MEASURES / kind / name


def trajectory(experiment: str, seed: int) -> Path:
    """Return where the checkpoints of one run lie."""
    return runs(experiment) / seed_name(seed) / "trajectory.h5"


def branch(
    connection: str, trunk_seed: int, split_step: int, branch: int, scale: float = 0.0
) -> Path:
    """Return where the endpoint of one branch lies."""
    name = branch_name(trunk_seed, split_step, branch, scale)
    return branches(connection) / f"{name}.h5"


def ticket(ticket: str, seed: int) -> Path:
    """Return where the checkpoints of one run of a ticket lie."""
    return tickets(ticket) / seed_name(seed) / "trajectory.h5"


def spectra(experiment: str, seed: int) -> Path:
    """Return where the spectra of one run lie."""
    return measures("spectra", experiment) / seed_name(seed) / "spectra.h5"


def pruning(experiment: str, seed: int) -> Path:
    """Return where the metrics of the pruned networks of one run lie."""
    return measures("pruning", experiment) / seed_name(seed) / "pruning.h5"


def connection(connection: str, trunks: int | str, split_step: int, scale: float = 0.0) -> Path:
    """Return where the paths between the endpoints of one split point, or of two, lie."""
    name = split_name(trunks, split_step, scale)
    return measures("connections", connection) / f"{name}.h5"


def ticket_measures(ticket: str, seed: int) -> Path:
    """Return where the comparison of one run of a ticket with its source lies."""
    return measures("tickets", ticket) / seed_name(seed) / "tickets.h5"


def ticket_spectra(ticket: str, seed: int) -> Path:
    """Return where the spectra of one run of a ticket lie."""
    return ticket_measures(ticket, seed).with_name("spectra.h5")


def ticket_pruning(ticket: str, seed: int) -> Path:
    """Return where the metrics of the pruned networks of one run of a ticket lie."""
    return ticket_measures(ticket, seed).with_name("pruning.h5")


def samples(name: str) -> Path:
    """Return where a set of samples lies."""
    return measures("samples", name) / "samples.h5"


def checkpoints_spectra(name: str) -> Path:
    """Return where the spectra of checkpoints made elsewhere lie."""
    return measures("checkpoints", name) / "spectra.h5"


def checkpoints_audit(name: str) -> Path:
    """Return where the audit of checkpoints made elsewhere lies."""
    return measures("checkpoints", name) / "audit.json"


def scratch_root() -> Path:
    """Return the folder of resumable state, shared with the copies of queued experiments."""
    return _main_checkout() / ".specflow" / "scratch"


def cluster_file() -> Path | None:
    """Return the file that `SPECFLOW_CLUSTER` names, relative to the project; None if not set."""
    given = os.environ.get("SPECFLOW_CLUSTER")
    return _main_checkout() / given if given else None


def cluster_root() -> Path:
    """Return the folder of members that are sent to a cluster, shared with those copies too."""
    return (_main_checkout() / ".specflow" / "slurm").resolve()


def _main_checkout() -> Path:
    """Return what `$DVC_ROOT` names, the same in those copies; the working folder without DVC."""
    return Path(os.environ.get("DVC_ROOT", "."))
