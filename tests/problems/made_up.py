from specflow.problems.settings import Data, ProblemSettings
from specflow.problems.task import Task


def settings_of(problem: dict, model: dict, shape, batch_size: int = 2) -> ProblemSettings:
    return ProblemSettings.model_validate(
        {
            "problem": problem,
            "model": model,
            "shape": shape,
            "dataset_name": "data",
            "evaluation": {"batch_size": batch_size, "max_train_samples": None},
        }
    )


def task_on(data: Data, problem: dict, model: dict, shape, batch_size: int = 2) -> Task:
    settings = settings_of(problem, model, shape, batch_size)
    return settings.problem.task(settings, data, "")
