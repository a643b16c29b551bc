"""How long each stage of a params.yaml takes, from what stages took here before.

A stage that has not run with these settings is as fast a step, checkpoint or point as one that does
the same for longer or more often; training also as fast a FLOP as training of the same kind of
model. Of anything else nothing is known, and nothing is made up.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from specflow.config.params import CommonParams
from specflow.config.resolved import all_settings
from specflow.config.settings import ALL
from specflow.datasets.dataset import PrepareSettings
from specflow.plan.amounts import ON_DEVICE, amounts_of, pace_of, trained_by
from specflow.plan.costs import Costs, costs_of
from specflow.plan.simulation import Load
from specflow.schedule import History
from specflow.section import Section
from specflow.training.settings import RunSettings


@dataclass(frozen=True)
class Speed:
    """What is known of a stage.

    Attributes:
        unit: What it does: steps, checkpoints, points, or nothing that is counted.
        amounts: How many of them each member does.
        seconds: Seconds of all members on one slot; None if that is unknown.
        source: Where that is from.
    """

    unit: str
    amounts: tuple[float, ...]
    seconds: float | None
    source: str

    @property
    def rate(self) -> float | None:
        """Units a second of one slot; None if it is unknown."""
        return sum(self.amounts) / self.seconds if self.seconds else None

    def load(self, start: float) -> Load:
        """Return the load of a stage whose seconds are known, each member its share of them."""
        assert self.seconds is not None
        share = self.seconds / (sum(self.amounts) or 1)
        return Load(start, tuple(amount * share for amount in self.amounts))


class Speeds:
    """What stages took, all on one kind of device.

    Attributes:
        start: Seconds before the members of a stage begin: the stage that took least took no less.
    """

    def __init__(self, params: CommonParams, history: History, device: str) -> None:
        """Read a history, as far as it is of this device and of stages that there still are.

        Args:
            params: What declares the stages that are asked for.
            history: What `specflow repro` remembers.
            device: cpu or cuda, what slots compute on.
        """
        self._asked: dict[str, Section | None] = {"resolve": None}
        for stage, name, settings in all_settings(params):
            self._asked[stage if name == ALL else f"{stage}@{name}"] = settings
        self._datasets, self._done = params.datasets, _read(history, self._asked, device)
        self.start = min((history.seconds[name] for name in self._done), default=0.0)
        self._seconds = {name: history.seconds[name] - self.start for name in self._done}

    def of(self, name: str) -> Speed:
        """Return what is known of a stage."""
        unit, amounts = amounts_of(self._asked[name])
        return Speed(unit, amounts, *self._known(name, self._asked[name], sum(amounts)))

    def _known(
        self, name: str, settings: Section | None, amount: float
    ) -> tuple[float | None, str]:
        """Return the seconds of a stage and where they are from."""
        if name in self._done and self._done[name] == settings:
            return self._seconds[name], "measured"
        if alike := [one for one in self._counted if pace_of(self._done[one]) == pace_of(settings)]:
            done = sum(map(self._amount, alike))
            return amount * self._sum(alike) / done, f"as fast a step as {_listed(alike)}"
        if run := trained_by(settings):
            return self._by_flops(run, amount)
        if name in self._done and not isinstance(settings, ON_DEVICE):
            return self._seconds[name], "guess: as with other settings"
        return None, "unknown"

    def _by_flops(self, run: RunSettings, steps: float) -> tuple[float | None, str]:
        """Return the seconds of training by the FLOPs a second of the same kind of model."""
        kinds = run.problem.kind, run.model.kind
        alike = {
            name: one
            for name, one in self._trained.items()
            if (one.problem.kind, one.model.kind) == kinds
        }
        if not alike:
            return None, "unknown"
        frames = {name: self._mean_frames[one.dataset_name] for name, one in alike.items()}
        own_frames = self._datasets[run.dataset_name].mean_frames
        costs = costs_of({**alike, "": run}, {**frames, "": own_frames})
        done = sum(self._amount(n) * _flops_per_step(one, costs[n]) for n, one in alike.items())
        seconds = steps * _flops_per_step(run, costs[""]) * self._sum(alike) / done
        return seconds, f"estimate: as fast a FLOP as {_listed(alike)}"

    def _amount(self, name: str) -> float:
        return sum(amounts_of(self._done[name])[1])

    def _sum(self, names: Iterable[str]) -> float:
        return sum(self._seconds[name] for name in names)

    @cached_property
    def _counted(self) -> list[str]:
        """The stages whose speed is known."""
        counted = (name for name, one in self._done.items() if pace_of(one))
        return [name for name in counted if self._amount(name) and self._seconds[name]]

    @cached_property
    def _trained(self) -> dict[str, RunSettings]:
        """The training of those that train and whose dataset is known."""
        runs = {name: trained_by(self._done[name]) for name in self._counted}
        return {n: run for n, run in runs.items() if run and run.dataset_name in self._mean_frames}

    @cached_property
    def _mean_frames(self) -> dict[str, float | None]:
        return {
            name.partition("@")[2]: one.dataset.mean_frames
            for name, one in self._done.items()
            if isinstance(one, PrepareSettings)
        }


def _read(
    history: History, asked: Mapping[str, Section | None], device: str
) -> dict[str, Section | None]:
    """Return the settings of the stages that have run on a device, if they compute on any."""
    kinds = {name.partition("@")[0]: type(settings) for name, settings in asked.items()}
    found: dict[str, Section | None] = {}
    for name in sorted(history.seconds.keys() & history.settings.keys()):
        kind = kinds.get(name.partition("@")[0], type(None))
        if issubclass(kind, ON_DEVICE) and history.devices.get(name) != device:
            continue
        if name == "resolve":
            found[name] = None
        elif issubclass(kind, Section):
            with suppress(ValidationError):  # of another version
                found[name] = kind.model_validate_json(json.dumps(history.settings[name]))
    return found


def _flops_per_step(run: RunSettings, costs: Costs) -> float:
    return costs.flops_per_sample * run.samples_per_step(run.num_train)


def _listed(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
