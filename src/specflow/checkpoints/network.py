"""What a config.json beside weights tells of the network, with transformers where it is there."""

import importlib
import importlib.util
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from specflow.checkpoints.base import Infos
from specflow.checkpoints.beside import json_beside
from specflow.checkpoints.remote.step import RemoteStep
from specflow.checkpoints.wrappers import unwrapped
from specflow.errors import one_line, shown
from specflow.wiring.modules import structure_of_module
from specflow.wiring.structure import Structure

_DEPTHS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_MODULES_EACH = 50  # of a network, at most, for each tensor of its checkpoint
_ENOUGH = 0.5  # of a network's layers a checkpoint must have, to be of it
# What a config has of how a network is run: implementations of attention may be code on a hub.
# It has also how the weights are stored.
_NOT_OF_NETWORKS = re.compile(
    r"_.*|auto_map|attn_implementation|experts_implementation"
    r"|transformers_version|(torch_)?dtype|use_cache"
)


def structure_beside(path: Path | RemoteStep, tensors: Infos) -> Structure:
    """Return what is known of the network of a checkpoint beside the names of its tensors.

    The class that config.json names is built without data if the package transformers is there;
    no code that lies beside the weights is run, and nothing that it names is fetched.

    Args:
        path: A file of the checkpoint, or the checkpoint at a URL.
        tensors: Its tensors.

    Raises:
        SpecflowError: If config.json is no JSON object.
    """
    config = config_beside(path)
    if config is None:
        return Structure()
    if not ("model_type" in config or "architectures" in config):
        what = "config.json names neither model_type nor architectures"
        return Structure(f"{Structure.source}; {what}")
    alone = Structure("config.json", config=config)
    if importlib.util.find_spec("transformers") is None:
        return alone
    try:
        built = _built(config, len(tensors))
        structure = alone if built is None else _told_by(built, tensors, alone)
    except Exception as error:  # whatever an unknown or faulty config makes of a foreign class
        why = f"config.json; transformers cannot build its class ({one_line(error)[:200]})"
        return replace(alone, source=why)
    return structure


def config_beside(path: Path | RemoteStep) -> Mapping[str, Any] | None:
    """Return what the config.json beside a checkpoint says; None if there is none.

    Raises:
        SpecflowError: If it is no JSON object.
    """
    beside = path.json_beside if isinstance(path, RemoteStep) else partial(json_beside, path)
    return beside("config.json")


def differing_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return the keys of two configs with both values, where both say it of the network."""
    one, other = (dict(_values(_of_network(config))) for config in (a, b))
    return [
        f"{key} ({shown(one[key])}, {shown(other[key])})"
        for key in one
        if key in other and one[key] != other[key]
    ]


def structure_of_live(module: nn.Module) -> Structure:
    """Return what the modules of a live network say of its weights, by names without wrappers.

    Args:
        module: The network; not modified.
    """
    found = structure_of_module(module)
    paths = unwrapped(f"{path}." for path in found.heads)
    return replace(
        found,
        layers=_renamed(found.layers),
        heads={paths[f"{path}."].removesuffix("."): count for path, count in found.heads.items()},
        sequences=[list(unwrapped(names).values()) for names in found.sequences],
        tied={name: unwrapped([one])[one] for name, one in _renamed(found.tied).items()},
    )


def _renamed(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: named[given] for given, name in unwrapped(named).items()}


def _built(config: Mapping[str, Any], most: int) -> nn.Module | None:
    """Return the class that a config names, without data; None if it is of no known class."""
    classes = config.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes else None
    own = _of_network(config)
    if any(_is_deeper(one, most) or _is_fetched(one) for one in _sections(own)):
        return None
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    transformers = importlib.import_module("transformers")
    model_class: Any = getattr(transformers, str(name), None)
    config_class = getattr(model_class, "config_class", None)
    if config_class is None:
        return None
    with warnings.catch_warnings(action="ignore"), torch.device("meta"), _at_most(most):
        built: nn.Module = model_class(config_class.from_dict(own))
    return built


def _of_network(content: Any) -> Any:
    """Return what a config says of the network, not of how it is run."""
    if isinstance(content, list):
        return [_of_network(one) for one in content]
    if not isinstance(content, dict):
        return content
    told = ((key, one) for key, one in content.items() if not _NOT_OF_NETWORKS.fullmatch(key))
    return {key: _of_network(one) for key, one in told}


def _values(content: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a config by keys with dots, those of configs within it too."""
    for key, one in content.items():
        if isinstance(one, dict):
            yield from _values(one, f"{within}{key}.")
        else:
            yield f"{within}{key}", one


def _sections(content: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a config and all those within it."""
    if isinstance(content, dict):
        yield content
    inner = content.values() if isinstance(content, dict) else content
    for one in inner if isinstance(content, dict | list) else ():
        yield from _sections(one)


def _is_deeper(section: Mapping[str, Any], most: int) -> bool:
    """Return whether a network is said to have more blocks than a checkpoint has tensors."""
    depths = (section.get(key) for key in _DEPTHS)
    return any(isinstance(depth, int) and depth > most for depth in depths)


def _is_fetched(section: Mapping[str, Any]) -> bool:
    """Return whether a part of a network is named alone, and would be looked for on a hub."""
    of_timm = str(section.get("model_type")).startswith("timm")
    return of_timm or isinstance(section.get("backbone"), str)


@contextmanager
def _at_most(num_tensors: int) -> Iterator[None]:
    """Build no network that is out of all proportion to the tensors of its checkpoint.

    Raises:
        ValueError: If one is.
    """
    most, count = _MODULES_EACH * max(num_tensors, 1), 0

    def counted(owner: nn.Module, name: str, module: nn.Module | None) -> None:
        nonlocal count
        count += 1
        if count > most:
            raise ValueError(f"more than {most} modules for {num_tensors} tensors")

    with register_module_module_registration_hook(counted):
        yield


def _told_by(network: nn.Module, tensors: Infos, alone: Structure) -> Structure:
    """Return what a network tells of a checkpoint, whose names may lack those of a wrapper.

    It tells nothing of a tensor that has another shape there, nor of heads of a module with one.
    """
    source = f"config.json, built as {type(network).__name__} of transformers"
    built = structure_of_module(network, source)
    shapes = {name: tuple(own.shape) for name, own in network.named_parameters()}
    for prefix in ("", *_prefixes(built)):
        own = {name: shapes.get(f"{prefix}{name}", info.shape) for name, info in tensors.items()}
        others = {name for name, shape in own.items() if shape != tensors[name].shape}
        told = _without(prefix, built.layers)
        layers = {n: one for n, one in told.items() if n in tensors and n not in others}
        if len(layers) > _ENOUGH * len(built.layers):
            return replace(
                built,
                config={**alone.config, **built.config},
                layers=layers,
                heads={
                    path: count
                    for path, count in _without(prefix, built.heads).items()
                    if not any(name.startswith(f"{path}.") for name in others)
                },
                sequences=[[n.removeprefix(prefix) for n in names] for names in built.sequences],
                tied=_without(prefix, built.tied),
            )
    return alone


def _prefixes(built: Structure) -> list[str]:
    return sorted({f"{name.partition('.')[0]}." for name in built.layers})


def _without(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {n.removeprefix(prefix): one for n, one in named.items() if n.startswith(prefix)}
