from pathlib import Path

from specflow.params.file import load_params
from specflow.params.resolve import (
    RetrainParams,
    compare_params,
    read_config,
    retrain_params,
    write_config,
)

PARAMS = load_params(Path(__file__).parents[2] / "presets" / "tiny.yaml")


def test_retraining_depends_on_the_ticket_and_on_batch_norm_alone():
    assert retrain_params(PARAMS, "digits_random").model_dump() == {
        "ticket": "digits_random",
        "experiment": "digits_vgg",
        "kind": "random",
        "density": 0.2,
        "rewind_step": 9,
        "batch_norm_samples": 200,
    }


def test_comparison_depends_on_the_length_of_a_score_alone():
    assert compare_params(PARAMS, "digits_random").model_dump() == {"score_length": 10}


def test_section_survives_json(tmp_path):
    section = retrain_params(PARAMS, "digits_magnitude")
    write_config(tmp_path / "retrain.json", section)
    assert read_config(tmp_path / "retrain.json", RetrainParams) == section
