"""The graph of stages as DVC reads it.

It is read inside this process, once: importing DVC and parsing dvc.lock is most of what a command
of DVC takes.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from specflow.errors import SpecflowError

if TYPE_CHECKING:
    import psutil
    from dvc.output import Output
    from dvc.stage import Stage


GRAPH = Path("dvc.yaml")


class Graph:
    """The stages that some targets need, and what is known of each.

    Attributes:
        names: The stages in the order in which `dvc repro` runs them: each after its upstream.
        upstream: For every stage those whose outputs it depends on.
        dependents: For every stage all that come after it, directly or not.
    """

    def __init__(self, targets: Sequence[str] = ()) -> None:
        """Read the graph of the working folder.

        Args:
            targets: Stages or groups of stages; none means all.

        Raises:
            SpecflowError: If a target is none of the stages, or DVC cannot read the graph. What
                params.yaml lacks is said in the words of the stage `resolve`.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.repo.reproduce import get_active_graph, plan_repro
        from networkx import ancestors  # comes with DVC

        try:
            self._repo = Repo(_wait_for_lock=True)
            with self._repo.lock:
                graph = get_active_graph(self._repo.index.graph)
            wanted = [stage for target in targets for stage in _meant(target, graph)]
            stages = plan_repro(graph, wanted or None)
        except DvcException as error:
            _check_params()
            raise SpecflowError(f"dvc: {error}") from error
        self._stages = {stage.addressing: stage for stage in stages}
        self.names = tuple(self._stages)
        self.upstream = {stage.addressing: _names(graph.successors(stage)) for stage in stages}
        self.dependents = {stage.addressing: _names(ancestors(graph, stage)) for stage in stages}

    def changed(self, name: str) -> bool:
        """Return whether a stage, its upstream done, is to be run or restored from DVC's cache.

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

        DVC appends a stage to that file when it is done, which side by side is any order. Stages
        that were there before are left where they are.
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


def forget(places: Iterable[Path]) -> None:
    """Drop results here and from DVC's cache, so that the stage that made them makes them again.

    DVC believes that a file of its cache is what it was, and with links it is the very file that
    is damaged here.

    Raises:
        SpecflowError: If a place is not in an output of a stage, or DVC cannot read the graph.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(_wait_for_lock=True)
        with repo.lock:
            for place in map(Path, map(os.path.abspath, places)):
                for out in repo.find_outs_by_path(str(place), strict=False):
                    _drop_from_cache(out, place)
                if place.is_dir():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)
    except DvcException as error:
        raise SpecflowError(f"dvc: {error}") from error


def _drop_from_cache(out: "Output", place: Path) -> None:
    if not (out.use_cache and out.hash_info):
        return
    files = {Path(out.fs_path): out.hash_info}
    if out.hash_info.isdir:  # the list of what is in it stays, for what is forgotten next
        files = {Path(out.fs_path, *key): info for key, _, info in out.get_obj() or ()}
    for path, hash_info in files.items():
        if place in (path, *path.parents):
            Path(out.cache.oid_to_path(hash_info.value)).unlink(missing_ok=True)


def start(name: str, workers: int, log: Path) -> "psutil.Popen":
    """Start the command of DVC that runs one stage alone, on so many cores; it ends with us."""
    import psutil  # comes with DVC

    own = {"SPECFLOW_WORKERS": str(workers), "SPECFLOW_REPRO": str(os.getpid())}
    with log.open("wb") as output:
        return psutil.Popen(
            [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name],
            env=_environment() | own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C must not hit DVC while it writes dvc.lock
        )


def undeclared(config: Mapping[str, Mapping[str, object]]) -> Iterator[Path]:
    """Yield the outputs of what is declared no more, lest later stages depend on them.

    Args:
        config: Resolved settings by stage and name.
    """
    for stage, said in YAML(typ="safe").load(GRAPH)["stages"].items():
        for out in said.get("do", {}).get("outs", ()):
            pattern = out if isinstance(out, str) else next(iter(out))  # one with options
            declared = {Path(pattern.replace("${key}", name)) for name in config.get(stage, {})}
            yield from sorted({*Path().glob(pattern.replace("${key}", "*"))} - declared)


def _environment() -> dict[str, str]:
    """Return an environment in which `python`, as stages call it, is the one that runs here."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path}


def _names(stages: Iterable["Stage"]) -> set[str]:
    return {stage.addressing for stage in stages}


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
        [sys.executable, "-m", "specflow.stage", "resolve", "--check"],
        env=_environment() | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SpecflowError(done.stderr.strip().removeprefix("error: "))
