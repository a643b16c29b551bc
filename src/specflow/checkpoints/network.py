"""What a config.json beside weights tells of the network, with transformers where it is there."""

import importlib
import importlib.util
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from specflow.checkpoints.base import Infos
from specflow.checkpoints.beside import json_beside
from specflow.checkpoints.remote.step import RemoteStep
from specflow.checkpoints.wrappers import unwrapped
from specflow.errors import one_line
from specflow.wiring.modules import structure_of_module
from specflow.wiring.structure import Structure

_DEPTHS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_ENOUGH = 0.5  # of a network's layers a checkpoint must have, to be of it


def structure_beside(path: Path | RemoteStep, tensors: Infos) -> Structure:
    """Return what is known of the network of a checkpoint beside the names of its tensors.

    The class that config.json names is built without data if the package transformers is there;
    no code that lies beside the weights is run.

    Args:
        path: A file of the checkpoint, or the checkpoint at a URL.
        tensors: Its tensors.

    Raises:
        SpecflowError: If config.json is no JSON object.
    """
    beside = path.json_beside if isinstance(path, RemoteStep) else partial(json_beside, path)
    config = beside("config.json")
    if config is None or not ("model_type" in config or "architectures" in config):
        return Structure()
    alone = Structure("config.json", config=config)
    if importlib.util.find_spec("transformers") is None:
        return alone
    try:
        built = _built(config, len(tensors))
    except Exception as error:  # whatever an unknown or faulty config makes of a foreign class
        why = f"config.json; transformers cannot build its class ({one_line(error)[:200]})"
        return replace(alone, source=why)
    if built is None:
        return alone
    return _named_as(built, tensors, alone)


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


def _built(config: Mapping[str, Any], most: int) -> Structure | None:
    """Return the structure of the class that a config names; None if it is of no known class."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    transformers = importlib.import_module("transformers")
    classes = config.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes else None
    model_class: Any = getattr(transformers, str(name), None)
    config_class = getattr(model_class, "config_class", None)
    if config_class is None or any(_is_deeper(config.get(key), most) for key in _DEPTHS):
        return None
    with warnings.catch_warnings(action="ignore"), torch.device("meta"):
        network = model_class(config_class.from_dict(dict(config)))
    return structure_of_module(network, f"config.json, built as {name} of transformers")


def _is_deeper(depth: Any, most: int) -> bool:
    """Return whether a network is said to have more blocks than a checkpoint has tensors."""
    return isinstance(depth, int) and depth > most


def _named_as(built: Structure, tensors: Infos, alone: Structure) -> Structure:
    """Return a structure with the names of a checkpoint, which may lack those of a wrapper."""
    for prefix in ("", *_prefixes(built)):
        known = [n.removeprefix(prefix) for n in built.layers if n.startswith(prefix)]
        if sum(name in tensors for name in known) > _ENOUGH * len(built.layers):
            return replace(
                built,
                config={**alone.config, **built.config},
                layers=_without(prefix, built.layers),
                heads=_without(prefix, built.heads),
                sequences=[[n.removeprefix(prefix) for n in names] for names in built.sequences],
                tied=_without(prefix, built.tied),
            )
    return alone


def _prefixes(built: Structure) -> list[str]:
    return sorted({f"{name.partition('.')[0]}." for name in built.layers})


def _without(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {n.removeprefix(prefix): one for n, one in named.items() if n.startswith(prefix)}
