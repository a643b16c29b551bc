"""Suites of a few steps as files, and what their analysis says."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from specflow.params.suites import SuiteParams
from specflow.suite_results import Audit
from specflow.suites.run import SuiteJob, open_job, run_suite

SPECTRA = {"diagonal_length": 6, "score_length": 3, "mass": 0.9}

Weights = Mapping[str, Tensor]


def suite_params(files: Sequence[str] = ("step*.pt",), **more) -> SuiteParams:
    return SuiteParams.model_validate({"files": list(files), "spectra": SPECTRA, **more})


def save_steps(folder: Path, steps: Sequence[int], weights: Sequence[Weights]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for step, one in zip(steps, weights, strict=True):
        torch.save(dict(one), folder / f"step{step}.pt")


def job_of(folder: Path, params: SuiteParams | None = None) -> SuiteJob:
    return SuiteJob(
        params=params or suite_params(),
        root=folder,
        spectra=folder / "out" / "suite.h5",
        audit=folder / "out" / "audit.json",
        scratch=folder / "scratch",
    )


def run(job: SuiteJob, workers: int = 1) -> Audit:
    return run_suite(job, open_job(job), lambda done: None, workers)


def trained(count: int = 8, seed: int = 0, speed: float = 0.1) -> list[dict[str, Tensor]]:
    """Weights of a made-up run: a random walk from a random start, biases beside matrices."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"layers.0.weight": (12, 9), "layers.1.weight": (10, 12), "layers.1.bias": (10,)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    steps = []
    for _ in range(count):
        steps.append({name: weight.clone() for name, weight in state.items()})
        for weight in state.values():
            weight += speed * torch.randn(weight.shape, generator=generator)
    return steps
