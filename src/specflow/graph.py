"""The graph of stages as DVC reads it: all that the library knows of DVC.

It is read inside this process, once: importing DVC and parsing dvc.lock is most of what a command
of DVC takes.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from specflow.errors import SpecflowError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

CHECK = ("stages/resolve.py", "--check")


class Graph:
    """The stages that some targets need, and what is known of each.

    Attributes:
        names: The stages in the order in which `dvc repro` runs them: each after its upstream.
        upstream: For every stage those whose outputs it depends on.
    """

    def __init__(self, targets: Sequence[str] = ()) -> None:
        """Read the graph of the working folder.

        Args:
            targets: Stages or groups of stages; none means all.

        Raises:
            SpecflowError: If DVC cannot read the graph. What params.yaml lacks is said in the words
                of the stage `resolve`.
        """
        from dvc.exceptions import DvcException

        try:
            self._repo, self._stages, self.upstream = _read(targets)
        except DvcException as error:
            _check_params()
            raise SpecflowError(f"dvc: {error}") from error
        self.names = tuple(self._stages)

    def changed(self, name: str) -> bool:
        """Return whether a stage is to be run, or restored from the cache of DVC.

        Args:
            name: A stage with no upstream that is still to run.

        Raises:
            SpecflowError: If what it depends on cannot be read.
        """
        from dvc.exceptions import DvcException

        stage = self._stages[name]
        if stage.is_callback or stage.always_changed or stage.changed_stage():
            return True
        try:
            return any(entry.status() for entry in (*stage.deps, *stage.outs))
        except DvcException as error:
            raise SpecflowError(f"dvc: {error}") from error

    def locked(self) -> list[str]:
        """Return the stages that dvc.lock has, in its order."""
        from dvc.utils.serialize import load_yaml

        lock = Path("dvc.lock")
        return list(load_yaml(lock).get("stages", {})) if lock.exists() else []

    def order_lock(self, new: Sequence[str]) -> None:
        """Put new stages to the end of dvc.lock in the order of a serial run.

        DVC appends a stage to that file when it is done, which side by side is any order.

        Args:
            new: Stages that were not in dvc.lock before they ran; others are left where they are.
        """
        from dvc.utils.serialize import modify_yaml

        with self._repo.lock:
            before = self.locked()
            done = set(new) & set(before)
            after = [name for name in before if name not in done]
            after += [name for name in self.names if name in done]
            if before != after:
                with modify_yaml("dvc.lock") as content:
                    for name in after:
                        content["stages"][name] = content["stages"].pop(name)


def command(name: str) -> list[str]:
    """Return the command that runs one stage alone, waiting for other commands of DVC."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]


def commands_of(process: int) -> list[int]:
    """Return the processes that the command of this id has started and that are there still."""
    import psutil  # comes with DVC

    try:
        return [child.pid for child in psutil.Process(process).children()]
    except psutil.NoSuchProcess:
        return []


def environment() -> dict[str, str]:
    """Return an environment in which `python`, as stages call it, is the one that runs here."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path}


def _read(
    targets: Sequence[str],
) -> tuple["Repo", dict[str, "Stage"], Mapping[str, tuple[str, ...]]]:
    """Return the repository and, in the order of `dvc repro`, the stages with their upstream.

    Raises:
        SpecflowError: If a target is none of the stages.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import get_active_graph, plan_repro

    repo = Repo(_wait_for_lock=True)
    with repo.lock:
        graph = get_active_graph(repo.index.graph)
    wanted = [stage for target in targets for stage in _meant(target, graph)]
    stages = plan_repro(graph, wanted or None)
    upstream = {
        stage.addressing: tuple(needed.addressing for needed in graph.successors(stage))
        for stage in stages
    }
    return repo, {stage.addressing: stage for stage in stages}, upstream


def _meant(target: str, stages: Iterable["Stage"]) -> list["Stage"]:
    """Return the stage of this name, or those of the group of this name.

    Raises:
        SpecflowError: If there is none.
    """
    meant = [s for s in stages if target in (s.addressing, s.addressing.partition("@")[0])]
    if not meant:
        raise SpecflowError(f"dvc.yaml has no stage and no group of stages {target!r}")
    return meant


def _check_params() -> None:
    """Let the stage `resolve` say what params.yaml lacks, since DVC says it in its own terms.

    Raises:
        SpecflowError: If it lacks something.
    """
    done = subprocess.run(
        [sys.executable, *CHECK],
        env=environment() | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SpecflowError(done.stderr.strip().removeprefix("error: "))
