"""Members a second where 1, 2, 4 and 8 of them share a GPU, or run side by side on the cores.

Members are seeds of an experiment of params.yaml, trained and written as a stage does. One at a
time they are trained in this process, which has trained one before; else each slot starts its own.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch

from specflow import paths
from specflow.config.params import load_params
from specflow.device import choose_device
from specflow.training.runs import TrainingRun, train_runs
from specflow.training.settings import RunSettings


def main() -> None:
    """Print members a second for every count, and how many times those of the first that is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("experiment", nargs="?", default="grokking")
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8])
    chosen = parser.parse_args()
    params = load_params(Path(__file__).parents[1] / "params.yaml")
    run = params.experiments[chosen.experiment].run(chosen.experiment, params.known)
    settings = run.model_copy(update={"num_epochs": chosen.epochs})
    device = choose_device()
    is_gpu = device.type == "cuda"
    variable = "SPECFLOW_MEMBERS_PER_DEVICE" if is_gpu else "SPECFLOW_WORKERS"
    where = torch.cuda.get_device_name() if is_gpu else "cores"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        params.datasets[settings.dataset_name].prepare(paths.dataset(settings.dataset_name))
        _seconds(settings, "warm", 1)
        first = None
        for count in chosen.counts:
            os.environ[variable] = str(count)
            rate = chosen.members / _seconds(settings, str(count), chosen.members)
            first = first or rate
            print(
                f"{chosen.experiment}, {settings.kept_steps[-1]} steps, {where}, {count} at a "
                f"time: {rate:.3f} members a second, {rate / first:.2f} times",
                flush=True,
            )


def _seconds(settings: RunSettings, name: str, members: int) -> float:
    """Return how long members take together."""
    begun = time.perf_counter()
    runs = [
        TrainingRun(
            f"{name}_{seed}",
            settings,
            seed,
            seed,
            Path(f"{name}_{seed}.h5"),
            settings.kept_steps,
            "code",
        )
        for seed in range(members)
    ]
    train_runs(runs, name)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
