"""A watch over a network in training: copies of its weights at some steps, measured beside it."""

import operator
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import torch.distributed as dist
from pydantic import ValidationError
from torch import Tensor, nn

from specflow.checkpoints.base import Step
from specflow.errors import SpecflowError, number_of
from specflow.live.alerts import Alert
from specflow.live.beside import Beside
from specflow.live.files import rows_for
from specflow.live.kinds import Kind
from specflow.live.listeners import Listeners
from specflow.live.messages import Copied, First, Measured
from specflow.live.network import Network
from specflow.live.schedule import Budget, Schedule
from specflow.live.settings import WatchParams
from specflow.live.sinks import Sink, sink_of
from specflow.live.transfers import Transfer
from specflow.section_errors import problems_of

T = TypeVar("T")


class Watch:
    """Measures the spectra of a network while it trains; made by `specflow.watch`.

    At the steps that are due weights are copied, which is all that the training waits for; a
    process of the lowest priority measures them. A step for which there is no time, since those
    before wait to be measured or copies would take more than the budget, is dropped, and how many
    are is said in the end.

    Of several processes that train together the first copies, and the others return at once. If
    they have parts of the weights, all of them copy at the steps of which the first decides so.

    Attributes:
        latest: The greatest step that was told; -1 before any.
    """

    def __init__(
        self,
        model: nn.Module,
        path: Path,
        params: WatchParams,
        sinks: Sequence[Sink] = (),
        on_alert: Callable[[Alert], object] | None = None,
    ) -> None:
        """Find the matrices of a network, and start the process beside it.

        Raises:
            SpecflowError: If there are no matrices, or the file is of other ones.
        """
        self._params, self._path = params, path
        self._listeners = Listeners(sinks, params.alerts, on_alert, self._warn)
        self._network = Network(model, params)
        self._beside = self._begun()
        self._schedule = Schedule(params)
        if not self._takes_part:
            self._schedule.end()
        self._is_told, self.latest, self._dropped = False, -1, 0
        self._before: tuple[int, int] | None = None
        first = Transfer()
        for kind in self._network.kinds:  # once before, as the first time takes many times as long
            self._copy(0, kind, first)
        first.end()
        first.wait()
        self._budget = Budget(params.budget)

    def _begun(self) -> Beside | None:
        """Return the process beside the first of those that train; if it has none, all raise why.

        Raises:
            SpecflowError: If the file is of other matrices, or there is no memory for copies.
        """
        beside, error, params = None, None, self._params
        kinds = [*self._network.kinds, *([] if params.leading is None else [Kind.LEADING])]
        if not _rank():
            try:
                for kind in kinds:
                    rows_for(kind, self._path, self._network.wiring)
                beside = Beside(
                    self._path,
                    self._network,
                    kinds,
                    stores=params.store_weights,
                    tells_spectra=self._listeners.wants_spectra,
                )
            except (SpecflowError, OSError) as raised:
                error = SpecflowError(str(raised))
        if self._network.is_sharded:
            error = _as_the_first(error)
        if error is not None:
            raise error
        return beside

    def step(self, step: int, **scalars: float | Tensor) -> None:
        """Tell that the network has taken a step; if it is due, its weights are copied.

        Args:
            step: How many steps it has taken, more than when this was called before.
            scalars: What else is known of the step, such as its loss, for the file and for sinks.
                They are looked at only if the step is measured.
        """
        if step <= self.latest:
            if not self._is_told:
                self._is_told = True
                self._warn(
                    f"step: got {step} after {self.latest}; expected numbers that ascend over the "
                    "whole training; others are not measured"
                )
            return
        self.latest = step
        began = time.perf_counter()
        try:
            self._go_on(operator.index(step), scalars)
        except Exception as error:  # whatever it is, the training goes on
            self._stop(f"step {step}: {type(error).__name__}: {error}")
        if not self._takes_part:
            self._schedule.end()
        self._budget.waited(time.perf_counter() - began)

    def close(self) -> None:
        """Wait until all that was copied is measured, and the file is complete."""
        beside = self._beside
        if beside is None:
            return
        is_whole = beside.end()
        self._collect(is_over=is_whole)
        self._beside = None
        if self._dropped:
            self._warn(
                f"not measured: {number_of(self._dropped, 'step')} of those that were due, since "
                "measuring took longer than from one to the next, or copying or measuring more of "
                f"the time than a budget of {self._params.budget:g} allows"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def spent(self) -> float:
        """Share of the time since the start that the training has waited for copies."""
        return self._budget.spent

    @property
    def _takes_part(self) -> bool:
        """Whether this process copies, or has parts of what is copied."""
        return self._beside is not None or self._network.is_sharded

    def _go_on(self, step: int, scalars: Mapping[str, float | Tensor]) -> None:
        """Do what is due at a step."""
        if self._beside is not None:
            self._budget.waited(self._beside.flush())
        if kinds := self._schedule.take(step):
            self._measure(step, kinds, scalars)
        if self._params.updates and step == self._schedule.next_whole - 1:
            self._keep(step)

    def _measure(self, step: int, due: list[Kind], scalars: Mapping[str, float | Tensor]) -> None:
        """Copy the weights if that is affordable, and have them measured."""
        began = time.perf_counter()
        slot, before = self._before or (self._slot(due), None)
        self._before = None
        if slot is None:
            self._dropped += self._beside is not None
            return
        is_whole = Kind.WEIGHTS in due
        own = [kind for kind in self._network.kinds if kind != Kind.UPDATES] if is_whole else due
        copied = dict.fromkeys(kind.copied for kind in own)  # all processes copy in one order
        transfer = Transfer()
        absent = {name for kind in copied for name in self._copy(slot, kind, transfer)}
        if self._beside is not None:
            of_step = Step(step, None, str(self._path))
            kinds = [*(self._network.kinds if is_whole else ()), *({*due} & {Kind.LEADING})]
            there = {*copied, *({Kind.UPDATES} if before == step - 1 else ())}
            self._beside.send(transfer, Copied(slot, of_step, kinds, there, absent), scalars)
            self._beside.flush()
        self._budget.took(time.perf_counter() - began)

    def _keep(self, step: int) -> None:
        """Copy the weights before a step that is due, to know what it changes."""
        if (slot := self._slot([Kind.WEIGHTS])) is not None:
            self._copy(slot, Kind.UPDATES, Transfer())
            self._before = slot, step

    def _slot(self, kinds: list[Kind]) -> int | None:
        """Return a place for copies, if there is one and time for them; 0 where others copy."""
        self._collect()
        beside = self._beside
        is_wanted = beside is not None and bool(beside.free) and self._budget.allows(kinds)
        if self._network.is_sharded:
            is_wanted = _as_the_first(is_wanted)
        if not is_wanted:
            return None
        return beside.free.pop() if beside else 0

    def _collect(self, *, is_over: bool = False) -> None:
        """Take what was answered: tell sinks, or say why there will be no more."""
        beside = self._beside
        for answer in beside.answers() if beside else ():
            if isinstance(answer, Measured):
                self._budget.busy = answer.busy
                self._listeners.tell(answer)
            elif isinstance(answer, First):
                self._listeners.first = answer.scalars
            elif not is_over:
                self._stop(answer.message)
                return

    def _stop(self, reason: str) -> None:
        """Watch no more, and say why; of weights that processes share all go on to take part."""
        self._warn(f"{reason}; training goes on, and is watched no more")
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.end()

    def _copy(self, slot: int, kind: Kind, transfer: Transfer) -> set[str]:
        buffers = self._beside.buffers if self._beside else None
        return self._network.copy_to(buffers, slot, kind, transfer)

    def _warn(self, message: str) -> None:
        warnings.warn(f"specflow.watch: {self._path}: {message}", stacklevel=3)


def started(
    model: nn.Module,
    path: str | Path,
    *,
    sinks: Sequence[object] = (),
    on_alert: Callable[[Alert], object] | None = None,
    **given: object,
) -> Watch:
    """Return a watch that has begun, with what `specflow.watch` takes.

    Raises:
        SpecflowError: If something is not as expected, or as for `Watch`.
    """
    try:
        params = WatchParams.model_validate(given)
    except ValidationError as error:
        raise SpecflowError("; ".join(problems_of(error, WatchParams, given))) from error
    return Watch(model, Path(path), params, [sink_of(sink) for sink in sinks], on_alert)


def _rank() -> int:
    """Return the number of this process among those that train together."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    return int(os.environ.get("RANK", "0"))  # of one that torchrun has started, and begins so soon


def _as_the_first(said: T) -> T:
    """Return what the first of the processes that train together says."""
    both = [said]
    dist.broadcast_object_list(both, src=0)
    return both[0]
