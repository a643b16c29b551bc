"""A watch over a network in training: copies of its weights at some steps, measured beside it."""

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from specflow.checkpoints.base import Step
from specflow.errors import SpecflowError, number_of
from specflow.live.alerts import Alert
from specflow.live.beside import Beside, Waiting
from specflow.live.files import rows_for
from specflow.live.kinds import Kind
from specflow.live.listeners import Listeners
from specflow.live.messages import Copied, First, Measured
from specflow.live.network import Network
from specflow.live.processes import as_the_first, rank
from specflow.live.schedule import Budget, Dropped, Schedule
from specflow.live.settings import WatchParams
from specflow.live.sinks import Sink, sink_of
from specflow.live.transfers import Before, Transfer, numbers_in
from specflow.live.warner import Warner
from specflow.section_errors import problems_of

_SLOW = "those before still wait; rarer ones, or a core that nothing else uses, would help"


class Watch:
    """Measures the spectra of a network while it trains; made by `specflow.watch`.

    At the steps that are due weights are copied, which is all that the training waits for; a
    process of the lowest priority measures them. A step for which there is no time, since those
    before wait to be measured or copies would take more than the budget, is dropped; a warning says
    why at the first, and in the end how many were.

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
        self._params, self._path, self._warn = params, path, Warner(path)
        self._listeners = Listeners(sinks, params.alerts, on_alert, self._warn)
        self._network = Network(model, params)
        self._beside = self._begun()
        self._schedule = Schedule(params)
        if not self._takes_part:
            self._schedule.end()
        self.latest, self._num_due = -1, 0
        self._dropped = Dropped(self._warn)
        self._before: Before | None = None
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
        if not rank():
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
            except (SpecflowError, OSError, RuntimeError) as raised:
                error = SpecflowError(str(raised))
        if self._network.is_sharded:
            error = as_the_first(error)
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
            told = f"step: got {step} after {self.latest}; expected numbers that ascend over the "
            self._warn.once("step", f"{told}whole training; others are not measured")
            return
        self.latest = step
        if self._network.waits and step >= self._schedule.next:
            torch.cuda.synchronize()  # what a GPU has to do of the step anyway is no cost
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
        try:
            self._collect(is_over=beside.end())
        finally:
            self._beside = None
            self._dropped.end()

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
        self._flush()
        self._collect()
        if kinds := self._schedule.take(step):
            self._num_due += 1
            self._measure(step, kinds, scalars)
        if self._params.updates and step == self._schedule.next_whole - 1:
            self._keep(step)

    def _measure(self, step: int, due: list[Kind], scalars: Mapping[str, float | Tensor]) -> None:
        """Copy the weights if that is affordable, and have them measured."""
        began = time.perf_counter()
        before, self._before = self._before, None
        slot, refusal = self._slot(due) if before is None else (before.slot, None)
        if slot is not None:
            self._copy_all(step, slot, due, before, scalars)
            took = time.perf_counter() - began
            self._budget.took(took if before is None else took + before.took)
            self._flush()
        if refusal is not None:
            self._dropped.add(refusal)

    def _copy_all(
        self,
        step: int,
        slot: int,
        due: list[Kind],
        before: Before | None,
        scalars: Mapping[str, float | Tensor],
    ) -> None:
        """Copy what is due of a step, and have it measured."""
        of_whole = self._network.kinds if Kind.WEIGHTS in due else []
        wanted = [*of_whole, *({*due} & {Kind.LEADING})]
        now = [kind for kind in wanted if kind != Kind.UPDATES]
        transfer = Transfer() if before is None else before.transfer
        absent = {  # all processes copy in one order
            name
            for kind in dict.fromkeys(kind.copied for kind in now)
            for name in self._copy(slot, kind, transfer)
        }
        if is_known := before is not None and before.step == step - 1:
            absent |= before.absent
        if self._beside is not None:
            given, refused = numbers_in(scalars, transfer)
            of_step, kinds = Step(step, None, str(self._path)), wanted if is_known else now
            copied = Copied(slot, of_step, kinds, absent)
            self._beside.send(Waiting(transfer, copied, given, self._num_due))
            for name, got in refused.items():
                self._warn.once(f"{name} given", f"{name}: got {got}; expected a number")
            if kinds != wanted and self._num_due > 1:
                told = f"step {step}: what it changed is not known"
                self._warn.once("updates", f"{told}, as the step before was not told or not copied")

    def _keep(self, step: int) -> None:
        """Copy the weights before a step that is due, to know what it changes."""
        began = time.perf_counter()
        slot, refusal = self._slot([Kind.WEIGHTS])
        if slot is not None:
            transfer = Transfer()
            absent = self._copy(slot, Kind.UPDATES, transfer)
            took = time.perf_counter() - began
            self._before = Before(slot, step, transfer, absent, took)
            if refusal is not None:
                self._dropped.add(refusal)

    def _flush(self) -> None:
        """Tell the process of the steps whose copies are there."""
        if self._beside is not None:
            try:
                self._budget.took_on_gpu(self._beside.flush())
            except RuntimeError as error:  # of a GPU; others wait for what comes after
                self._stop(f"{type(error).__name__}: {error}")

    def _slot(self, kinds: list[Kind]) -> tuple[int | None, str | None]:
        """Return a place for copies, and why there is none, or why another step gave up its own.

        Where others copy, the place is 0.
        """
        beside, whole, slot, refusal = self._beside, Kind.WEIGHTS in kinds, None, None
        if beside is not None:
            refusal = self._budget.refusal(kinds)
            if refusal is None and len(beside.free) > (0 if whole else 1):  # one is left for whole
                slot = beside.free.pop()
            elif refusal is None:
                slot, refusal = beside.give_up(self._num_due, whole=whole), _SLOW
        if self._network.is_sharded:  # the first copies to its place, and the others give
            slot = as_the_first(slot)
        return slot, refusal

    def _collect(self, *, is_over: bool = False) -> None:
        """Take what was answered: tell sinks, or say why there will be no more."""
        beside = self._beside
        for answer in beside.answers() if beside else ():
            if isinstance(answer, Measured):
                self._budget.busy = answer.busy
                self._listeners.tell(answer)
            elif isinstance(answer, First):
                self._listeners.first = answer.scalars
                if answer.removed:
                    removed = number_of(answer.removed, "step")
                    self._warn(f"begun again before all {removed} that were here; they are removed")
            elif not is_over:
                self._stop(answer.message)
                return

    def _stop(self, reason: str) -> None:
        """Watch no more, and say why; of weights that processes share all go on to take part."""
        beside, self._beside = self._beside, None
        try:
            if beside is not None:
                beside.end()
        finally:
            self._warn(f"{reason}; training goes on, and is watched no more")
            self._dropped.end()

    def _copy(self, slot: int, kind: Kind, transfer: Transfer) -> set[str]:
        buffers = self._beside.buffers if self._beside else None
        return self._network.copy_to(buffers, slot, kind, transfer)


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
