import pytest

from specflow.training.schedules import ConstantSchedule, CosineSchedule, StepSchedule


def factors(schedule, steps, steps_per_epoch=10, num_steps=100):
    return [schedule.factor_at(step, steps_per_epoch, num_steps) for step in steps]


def cosine(**changes):
    flat = {"warmup_steps": 0, "num_steps": None, "final_fraction": 0.0, "per": "step"}
    return CosineSchedule(kind="cosine", **flat | changes)


def test_constant_schedule_warms_up_linearly_to_one():
    schedule = ConstantSchedule(kind="constant", warmup_steps=4)
    assert factors(schedule, range(6)) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_step_schedule_falls_at_the_first_step_of_each_epoch_given():
    schedule = StepSchedule(kind="step", warmup_steps=0, epochs=(2, 5), factor=0.1)
    assert factors(schedule, [0, 19, 20, 49, 50, 99]) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_schedule_goes_from_one_to_the_final_fraction_and_stays_there():
    schedule = cosine(warmup_steps=10, final_fraction=0.1)
    assert factors(schedule, [9, 10, 55, 100]) == pytest.approx([1.0, 1.0, 0.55, 0.1])
    assert factors(cosine(num_steps=50), [50, 80]) == [0.0, 0.0]


def test_cosine_schedule_per_epoch_is_constant_within_an_epoch():
    values = factors(cosine(per="epoch"), range(100))
    assert len(set(values)) == 10
    assert values[30] == values[39] > values[40]
