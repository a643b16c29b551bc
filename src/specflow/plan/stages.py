"""The graph of a params.yaml that need not be the one in the working folder.

dvc.yaml says it, whose templates are filled here as DVC fills them: of another file than
params.yaml DVC cannot tell.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from specflow.config.params import CommonParams
from specflow.graph import GRAPH

_TEMPLATE = re.compile(r"\$\{(key|item\.(\w+))\}")


def upstream_of(params: CommonParams, file: Path = GRAPH) -> dict[str, set[str]]:
    """Return for every stage, each after its upstream, the stages whose outputs it depends on.

    Args:
        params: What declares the experiments.
        file: The templates.
    """
    stages = dict(_stages(YAML(typ="safe").load(file), params))
    outs = {
        place: name
        for name, said in stages.items()
        for place in _places(said, "outs", "metrics", "plots")
    }
    upstream = {
        name: {
            outs[out]
            for dep in _places(said, "deps", "params")
            for out in outs
            if dep == out or dep in out.parents or out in dep.parents
        }
        for name, said in stages.items()
    }
    return {name: upstream[name] for name in TopologicalSorter(upstream).static_order()}


def _stages(said: Mapping[str, Any], params: CommonParams) -> Iterator[tuple[str, Any]]:
    """Yield every stage with what is said of it, templates filled."""
    for stage, one in said["stages"].items():
        if "foreach" not in one:
            yield stage, one
            continue
        section = one["foreach"].removeprefix("${").removesuffix("}")
        for key, item in params.entries(section).items():
            yield f"{stage}@{key}", _filled(one["do"], key, item)


def _filled(said: Any, key: str, item: Any) -> Any:
    if isinstance(said, str):
        return _TEMPLATE.sub(lambda found: getattr(item, found[2]) if found[2] else key, said)
    if isinstance(said, Mapping):
        return {_filled(name, key, item): _filled(value, key, item) for name, value in said.items()}
    return [_filled(one, key, item) for one in said] if isinstance(said, list) else said


def _places(said: Mapping[str, Any], *sections: str) -> Iterator[Path]:
    for section in sections:
        for one in said.get(section, ()):  # a path, or a path with options
            yield Path(one if isinstance(one, str) else next(iter(one)))
