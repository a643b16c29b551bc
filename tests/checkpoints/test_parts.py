"""Numbered parts of one checkpoint are no steps of it."""

import pytest
import torch

from specflow.checkpoints.files import FilesParams, find_steps
from specflow.errors import SpecflowError


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save({"w": torch.ones(2, 2)}, root / name)


def steps_of(root, *files):
    return [step.step for step in find_steps(FilesParams(files=files), root).steps]


PARTS = {
    "consolidated.00.pth consolidated.01.pth": "merge the parts of Llama",
    "mp_rank_00_model_states.pt mp_rank_01_model_states.pt": "zero_to_fp32.py",
    "zero_pp_rank_0_mp_rank_00_model_states.pt zero_pp_rank_1_mp_rank_00_model_states.pt": "ZeRO",
    "layer_03-model_00-model_states.pt layer_04-model_00-model_states.pt": "merge them",
    "pytorch_model-00001-of-00002.bin pytorch_model-00002-of-00002.bin": "expected its index",
    "model_1_of_2.pt model_2_of_2.pt": "expected its index",
    "rank0.pt rank1.pt": "merge them",
    "step5-rank0.pt step5-rank1.pt": "merge them",
    "mp_rank_00/model.pt mp_rank_01/model.pt": "merge",
    "checkpoint-model_part-0-shard0.pt checkpoint-model_part-1-shard0.pt": "merge them",
}


@pytest.mark.parametrize("names", PARTS)
def test_parts_are_refused_as_such_with_the_way_out(tmp_path, names):
    write(tmp_path, *names.split())
    for files in (["*"] if "/" not in names else ["*/*"], names.split(), names.split()[1:]):
        with pytest.raises(SpecflowError, match=f"of one checkpoint.*{PARTS[names]}"):
            steps_of(tmp_path, *files)


@pytest.mark.parametrize("names", [names for names in PARTS if "/" not in names])
def test_folder_of_parts_is_refused_as_such(tmp_path, names):
    write(tmp_path / "run", *names.split())
    with pytest.raises(SpecflowError, match=f"of one checkpoint.*{PARTS[names]}"):
        steps_of(tmp_path, "run")


@pytest.mark.parametrize(
    "name",
    [
        "consolidated.00.pth",
        "mp_rank_00_model_states.pt",
        "model-00001-of-00001.bin",
        "mp_rank_00/model_optim_rng.pt",
        "rank0.pt",
    ],
)
def test_only_part_is_the_checkpoint(tmp_path, name):
    for step in (10, 200):
        write(tmp_path / f"step{step}", name)
        write(tmp_path / f"step{step}", "zero_pp_rank_0_mp_rank_00_optim_states.pt")
    pattern = f"step*/{name}" if "/" in name else "step*"
    assert steps_of(tmp_path, pattern) == [10, 200]


def test_one_of_several_shards_alone_is_refused(tmp_path):
    write(tmp_path, "model-00001-of-00002.bin")
    with pytest.raises(SpecflowError, match="a shard of one checkpoint, no step of its own"):
        steps_of(tmp_path, "model-00001-of-00002.bin")


@pytest.mark.parametrize("names", ["rank8.pt rank16.pt", "step1-rank0.pt step2-rank0.pt"])
def test_numbers_that_are_none_of_parts_are_left_alone(tmp_path, names):
    write(tmp_path, *names.split())
    assert len(steps_of(tmp_path, *names.split())) == 2
