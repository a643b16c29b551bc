"""Every artifact's place, relative to the project's root. Nothing else knows a file name."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
RESULTS = Path("results")
CONFIG = RESULTS / "config"
TABLES = RESULTS / "tables"
FIGURES = RESULTS / "figures"
FIGURES_INDEX = RESULTS / "figures.json"
SUMMARY = RESULTS / "metrics" / "summary.json"
CLAIMS = RESULTS / "claims.json"
REPORT = RESULTS / "report" / "index.html"
CLAIMS_CONFIG = CONFIG / "claims.json"
FIGURES_CONFIG = CONFIG / "figures.json"
COLLECT_CONFIG = CONFIG / "collect.json"
GROUPS_CONFIG = CONFIG / "groups.json"
MEASURES = RESULTS / "measures"


def dataset_config(dataset: str) -> Path:
    """Return where the resolved config of a dataset lies."""
    return CONFIG / "datasets" / f"{dataset}.json"


def experiment_config(experiment: str, concern: str) -> Path:
    """Return where the resolved config of one concern of an experiment lies.

    Args:
        experiment: Name of the experiment.
        concern: training, spectra or prune.
    """
    return CONFIG / "experiments" / experiment / f"{concern}.json"


def connection_config(connection: str, concern: str) -> Path:
    """Return where the resolved config of one concern (branch, connect) of a connection lies."""
    return CONFIG / "connections" / connection / f"{concern}.json"


def dataset(name: str) -> Path:
    """Return where a prepared dataset lies."""
    return RESULTS / "data" / f"{name}.h5"


def raw_data() -> Path:
    """Return the folder of downloaded files, shared with the copies of queued experiments.

    It lies below `$DVC_ROOT`, as `scratch_root` does, and is not in git.
    """
    return Path(os.environ.get("DVC_ROOT", ".")) / "data" / "raw"


def seed_name(seed: int) -> str:
    """Return the name of the member of an experiment that has this seed."""
    return f"seed{seed}"


def branch_name(trunk_seed: int, split_step: int, branch: int) -> str:
    """Return the name of one branch of a connection."""
    return f"{seed_name(trunk_seed)}_step{split_step}_branch{branch}"


def trajectory(experiment: str, seed: int) -> Path:
    """Return where the checkpoints of one run lie."""
    return RESULTS / "runs" / experiment / seed_name(seed) / "trajectory.h5"


def branch(connection: str, trunk_seed: int, split_step: int, branch: int) -> Path:
    """Return where the end of one branch lies."""
    return RESULTS / "branches" / connection / f"{branch_name(trunk_seed, split_step, branch)}.h5"


def spectra(experiment: str, seed: int) -> Path:
    """Return where the spectra of one run lie."""
    return MEASURES / "spectra" / experiment / seed_name(seed) / "spectra.h5"


def pruning(experiment: str, seed: int) -> Path:
    """Return where the metrics of the pruned networks of one run lie."""
    return MEASURES / "pruning" / experiment / seed_name(seed) / "pruning.h5"


def connection(connection: str, trunk_seed: int, split_step: int) -> Path:
    """Return where the lines between the branch ends of one split point lie."""
    name = f"{seed_name(trunk_seed)}_step{split_step}.h5"
    return MEASURES / "connections" / connection / name


def scratch_root() -> Path:
    """Return the folder of resumable training state, shared with the copies of queued experiments.

    It lies below `$DVC_ROOT`, which names the main checkout also in those copies, or below the
    working folder without DVC.
    """
    return Path(os.environ.get("DVC_ROOT", ".")) / ".specflow" / "scratch"
