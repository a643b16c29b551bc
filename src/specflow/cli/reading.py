"""Arguments of the commands that read checkpoints made elsewhere."""

import argparse
from typing import Any


def add_checkpoints(parser: argparse.ArgumentParser) -> None:
    """Let a command take checkpoints."""
    help_text = (
        "file, folder of a checkpoint, or pattern; a trajectory has all its steps; STEP=PATH says "
        "the step of one; URL of safetensors, https://host/step{0,1000}/model.safetensors or "
        "hf://org/name@step*"
    )
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help=help_text)
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Let a command take how they are read."""
    help_text = "regular expression with one group, the step, that is searched in each path"
    parser.add_argument("--step-from", metavar="REGEX", help=help_text)
    help_text = "where the weights are in a PyTorch checkpoint, with dots"
    parser.add_argument("--key", help=help_text)
    help_text = (
        "a naming that must be there: auto (any), gpt_neox, gpt2, llama, torch; none cuts nothing"
    )
    parser.add_argument("--layout", default="auto", help=f"{help_text} (default: %(default)s)")
    help_text = "attention heads of a block, where neither config.json nor shapes tell"
    parser.add_argument("--num-heads", type=int, help=help_text)
    again: dict[str, Any] = {"action": "append", "default": [], "metavar": "PATTERN"}
    help_text = "pattern of tensors or matrices that are analysed; may be given again"
    parser.add_argument("--include", **again, help=help_text)
    help_text = "pattern of those that are not; may be given again"
    parser.add_argument("--exclude", **again, help=help_text)
    help_text = (
        "pattern of tensors whose inputs come first (transposed convolutions); may be given again; "
        "those of trajectories are known"
    )
    parser.add_argument("--transposed", **again, help=help_text)
    help_text = (
        "tensors that hold several matrices, '*.qkv=q,k,v': with sizes 'q:4,k:1,v:1', another "
        "dimension '@1', interleaved by heads '/heads'; '*.w1=*' makes one of each entry; may be "
        "given again"
    )
    parser.add_argument("--fused", **again | {"metavar": "PATTERN=PARTS"}, help=help_text)
    help_text = (
        "further neighbours, '*.v -> *.o', where * stands for the same; ':right' after the first "
        "for an embedding, ':left' after the second if its outputs meet; may be given again"
    )
    again = {**again, "metavar": "'FROM -> TO'", "dest": "pairs"}
    parser.add_argument("--pair", **again, help=help_text)


def options_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return how checkpoints are read, as in `ReadingParams`."""
    names = (
        *("step_from", "key", "layout", "num_heads"),
        *("include", "exclude", "transposed", "fused", "pairs"),
    )
    return {name: getattr(chosen, name) for name in names} | {"include": chosen.include or ["*"]}
