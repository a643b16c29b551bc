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


def ticket_config(ticket: str, concern: str) -> Path:
    """Return where the resolved config of one concern (retrain, compare) of a ticket lies."""
    return CONFIG / "tickets" / ticket / f"{concern}.json"


def sample_config(samples: str) -> Path:
    """Return where the resolved config of a set of samples lies."""
    return CONFIG / "samples" / f"{samples}.json"


def suite_config(suite: str) -> Path:
    """Return where the resolved config of a suite lies."""
    return CONFIG / "suites" / f"{suite}.json"


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


def split_name(trunks: int | str, split_step: int, scale: float = 0.0) -> str:
    """Return the name of a split point, for example "seed0_step216_scale0.5".

    Args:
        trunks: Seed of the trunk, or of two as "0-1".
        split_step: The step.
        scale: Scale of its perturbation, 0 for none.
    """
    perturbed = f"_scale{scale}" if scale else ""
    return f"seed{trunks}_step{split_step}{perturbed}"


def branch_name(trunk_seed: int, split_step: int, branch: int, scale: float = 0.0) -> str:
    """Return the name of one branch of a connection."""
    return f"{split_name(trunk_seed, split_step, scale)}_branch{branch}"


def trajectory(experiment: str, seed: int) -> Path:
    """Return where the checkpoints of one run lie."""
    return RESULTS / "runs" / experiment / seed_name(seed) / "trajectory.h5"


def branch(
    connection: str, trunk_seed: int, split_step: int, branch: int, scale: float = 0.0
) -> Path:
    """Return where the end of one branch lies."""
    name = branch_name(trunk_seed, split_step, branch, scale)
    return RESULTS / "branches" / connection / f"{name}.h5"


def ticket(ticket: str, seed: int) -> Path:
    """Return where the checkpoints of one run of a ticket lie."""
    return RESULTS / "tickets" / ticket / seed_name(seed) / "trajectory.h5"


def spectra(experiment: str, seed: int) -> Path:
    """Return where the spectra of one run lie."""
    return MEASURES / "spectra" / experiment / seed_name(seed) / "spectra.h5"


def pruning(experiment: str, seed: int) -> Path:
    """Return where the metrics of the pruned networks of one run lie."""
    return MEASURES / "pruning" / experiment / seed_name(seed) / "pruning.h5"


def connection(connection: str, trunks: int | str, split_step: int, scale: float = 0.0) -> Path:
    """Return where the lines between the branch ends of one split point, or of two, lie."""
    name = split_name(trunks, split_step, scale)
    return MEASURES / "connections" / connection / f"{name}.h5"


def ticket_measures(ticket: str, seed: int) -> Path:
    """Return where the comparison of one run of a ticket with its source lies."""
    return MEASURES / "tickets" / ticket / seed_name(seed) / "tickets.h5"


def samples(name: str) -> Path:
    """Return where a set of samples lies."""
    return MEASURES / "samples" / name / "samples.h5"


def suite_spectra(suite: str) -> Path:
    """Return where the measures of a suite lie."""
    return MEASURES / "suites" / suite / "suite.h5"


def suite_audit(suite: str) -> Path:
    """Return where the audit of a suite lies."""
    return MEASURES / "suites" / suite / "audit.json"


def scratch_root() -> Path:
    """Return the folder of resumable training state, shared with the copies of queued experiments.

    It lies below `$DVC_ROOT`, which names the main checkout also in those copies, or below the
    working folder without DVC.
    """
    return Path(os.environ.get("DVC_ROOT", ".")) / ".specflow" / "scratch"
