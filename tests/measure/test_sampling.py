import numpy as np
import pytest
import torch

from specflow import paths
from specflow.datasets.storage import write_dataset
from specflow.errors import SpecflowError
from specflow.hdf5 import open_file
from specflow.layouts import SAMPLES
from specflow.measure.evaluation import Pruned
from specflow.measure.sampling import SamplingJob, measure_samples
from specflow.params.samples import SampleParams
from specflow.params.tasks import InterventionParams
from specflow.tasks import load_task
from specflow.training.members import Member, train_members
from specflow.trajectory import open_trajectory


@pytest.fixture
def job(diffusion_run):
    """Three images of a trained run and of two prunings for each of two fractions."""
    source = paths.trajectory("images", 0)
    train_members([Member("m", diffusion_run, 0, 0, source, diffusion_run.kept_steps)], "train")
    return SamplingJob(
        params=SampleParams(experiment="images", run_seed=0, num_images=3, noise_seed=5),
        interventions=InterventionParams(keep_fractions=(0.25, 0.5), batch_norm_samples=10),
        run=diffusion_run,
        source=source,
        target=paths.samples("images"),
    )


def measured(job):
    done = []
    measure_samples(job, done.append)
    assert sum(done) == job.num_variants == 5
    return open_file(job.target, SAMPLES)


def test_images_are_those_of_the_final_weights_whole_and_pruned(job):
    task = load_task(job.run, torch.device("cpu"))
    model = task.build_model()
    with open_trajectory(job.source) as trajectory:
        arrays = {**trajectory.weights(-1), **trajectory.buffers(-1)}
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with measured(job) as file:
        assert set(file) == {"full", "top", "bottom", "low", "high"}
        for keep, fraction in (("full", 1.0), ("top", 0.25), ("bottom", 0.5)):
            model.load_state_dict(Pruned(weights, model.wiring).weights((keep, fraction)))
            expected = task.sample(model, 3, 5).numpy()
            np.testing.assert_array_equal(file[f"{keep}/{fraction}"][:], expected)
        names = ("full/1.0", "top/0.5", "bottom/0.5", "top/0.25", "bottom/0.25")
        assert len({file[name][:].tobytes() for name in names}) == 5


def test_same_samples_have_the_same_bytes(job):
    runs = []
    for _ in range(2):
        measure_samples(job, lambda done: None)
        runs.append(job.target.read_bytes())
    assert runs[0] == runs[1]


def test_range_of_values_is_kept_beside_the_images(job):
    images = load_task(job.run, torch.device("cpu")).data["train"]["inputs"]
    with measured(job) as file:
        assert file["low"][:].tolist() == [images.min()]
        assert file["high"][:].tolist() == [images.max()]


def test_other_data_than_the_runs_are_refused(job):
    with write_dataset(paths.dataset("images"), job.run.dataset) as writer:
        for split in ("train", "validation"):
            writer.append(split, "inputs", np.zeros((4, 1, 28, 28), np.float32))
    with pytest.raises(SpecflowError, match="was trained on data of fingerprint"):
        measure_samples(job, lambda done: None)
    assert not job.target.exists()
