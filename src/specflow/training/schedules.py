"""Learning-rate schedules: the factor on the peak rate, a function of the step alone."""

import bisect
import math

from specflow.params.optimization import (
    ConstantSchedule,
    CosineSchedule,
    ScheduleParams,
    StepSchedule,
)


def rate_factor(schedule: ScheduleParams, step: int, steps_per_epoch: int, num_steps: int) -> float:
    """Return the factor on the learning rate of one optimizer step.

    Warm-up is linear and reaches 1 at its last step: step i of w warm-up steps has (i + 1) / w.

    Args:
        schedule: The schedule's parameters.
        step: Number of the step, from 0.
        steps_per_epoch: Steps of an epoch.
        num_steps: Steps of the whole training.

    Returns:
        A factor of at least 0.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    match schedule:
        case ConstantSchedule():
            return 1.0
        case StepSchedule():
            return schedule.factor ** bisect.bisect(schedule.epochs, step // steps_per_epoch)
        case CosineSchedule():
            if schedule.per == "epoch":
                step -= step % steps_per_epoch
            end = schedule.num_steps or num_steps
            progress = (step - schedule.warmup_steps) / (end - schedule.warmup_steps)
            wave = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
            return schedule.final_fraction + (1 - schedule.final_fraction) * wave
