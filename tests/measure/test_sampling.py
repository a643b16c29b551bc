import numpy as np
import pytest
import torch
from tests.measure.made_up import SCRATCH, WORK, Killed, dies_after, task_of, write_run

from specflow import paths
from specflow.checkpoints.trajectory import open_trajectory
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.measure.evaluation import Pruned, Variant
from specflow.measure.layouts import SAMPLES
from specflow.measure.sampling import SamplingJob, measure_samples
from specflow.measure.settings import PruningParams
from specflow.problems.diffusion import Diffusion

NAMES = ("full/1.0", "top/0.25", "bottom/0.25", "top/0.5", "bottom/0.5")


@pytest.fixture
def job(diffusion_run):
    """Three images of a run and of two prunings for each of two fractions."""
    return SamplingJob(
        problem=diffusion_run,
        pruning=PruningParams(keep_fractions=(0.25, 0.5), batch_norm_samples=10),
        num_images=3,
        noise_seed=5,
        source=write_run(diffusion_run, paths.trajectory("images", 0), [0, 3]),
        target=paths.samples("images"),
        work=WORK,
    )


def test_images_are_those_of_the_final_weights_whole_and_pruned(job):
    done = []
    measure_samples(job, done.append)
    assert sum(done) == job.num_variants == len(NAMES)
    task = task_of(job.problem)
    model = task.build_model()
    with open_trajectory(job.source) as trajectory:
        arrays = {**trajectory.weights(-1), **trajectory.buffers(-1)}
    pruned = Pruned({n: torch.from_numpy(a) for n, a in arrays.items()}, model.wiring)
    images = task.data["train"]["inputs"]
    with open_file(job.target, SAMPLES) as file:
        assert set(file) == {"full", "top", "bottom", "low", "high"}
        assert file["low"][:].tolist() == [images.min()]
        assert file["high"][:].tolist() == [images.max()]
        for keep, fraction in (name.split("/") for name in NAMES):
            model.load_state_dict(pruned.weights(Variant(keep, float(fraction))))
            expected = task.sample(model, 3, 5).numpy()
            np.testing.assert_array_equal(file[f"{keep}/{fraction}"][:], expected)
        assert len({file[name][:].tobytes() for name in NAMES}) == 5


def test_same_samples_have_the_same_bytes(job):
    runs = []
    for _ in range(2):
        measure_samples(job, lambda done: None)
        runs.append(job.target.read_bytes())
    assert runs[0] == runs[1]


def test_other_data_than_the_runs_are_refused(job):
    write_run(job.problem, job.source, [0, 3], fingerprint="another")
    with pytest.raises(SpecflowError, match="was trained on data of fingerprint another"):
        measure_samples(job, lambda done: None)
    assert not job.target.exists()


def test_killed_samples_go_on_to_the_same_bytes(job, monkeypatch):
    measure_samples(job, lambda done: None)
    whole = job.target.read_bytes()
    job.target.unlink()
    done, sample = [], Diffusion.sample
    monkeypatch.setattr(Diffusion, "sample", dies_after(2, sample))
    with pytest.raises(Killed):
        measure_samples(job, done.append)
    assert not job.target.exists()
    monkeypatch.setattr(Diffusion, "sample", dies_after(3, sample))  # of five networks
    measure_samples(job, done.append)
    assert job.target.read_bytes() == whole
    assert done == [1] * (2 + 5)
    assert not SCRATCH.folder.exists()
