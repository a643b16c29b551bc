"""Made-up results as the stages before the report write them."""

import json
from pathlib import Path

from PIL import Image, PngImagePlugin

from specflow import paths

CLAIM_IDS = (
    "rank_falls",
    "unequal_growth",
    "top_half_suffices",
    "top_settles_early",
    "alignment_weak",
    "grokking_is_low_rank",
    "grokking_coincides",
    "more_data_low_rank",
    "decay_lowers_rank",
    "memorization_is_high_rank",
    "memorization_unaligned",
    "tickets_keep_top",
    "late_split_connected",
    "connected_share_directions",
    "trunks_unconnected",
    "trunks_share_nothing",
    "perturbation_breaks",
)
FIGURES = (
    ("effective_rank", "digits"),
    ("effective_rank", "grokking"),
    ("losses", "grokking"),
    ("tickets", "digits"),
    ("barriers", "digits"),
    ("end_agreement", "digits"),
    ("grokking", None),
    ("errors", None),
    ("samples", "images"),
)


def result(verdict: str = "holds", **changes) -> dict:
    base = {"value": 0.9, "low": 0.85, "high": 0.95, "num_units": 3, "unit": "seeds"}
    return base | {"verdict": verdict} | changes


def claim(claim_id: str, subjects: dict | None = None, **more) -> dict:
    words = {"claim": f"claim {claim_id}", "statistic": f"mean of {claim_id}", "holds_when": "> 0"}
    return words | {"subjects": subjects or {}} | more


def made_up_claims() -> dict[str, dict]:
    claims = {name: claim(name, absent=f"no experiment for {name}") for name in CLAIM_IDS}
    measured = {
        "rank_falls": {
            "digits": result(),
            "grokking": result("does not hold", value=-0.25, low=-0.5, high=0.0),
        },
        "top_settles_early": {
            "grokking": result(score={"value": 0.5, "low": 0.4, "high": 0.6}),
        },
        "alignment_weak": {"grokking": result("undecided", over_null=1.7, note="few pairs")},
        "grokking_is_low_rank": {"grokking": result()},
        "grokking_coincides": {"grokking": result(value=None, low=None, high=None)},
        "tickets_keep_top": {"digits, density 0.05, step 36": result()},
        "late_split_connected": {
            "digits": result(value=-0.00098, low=-0.0011, high=-0.0008),
            "digits_with_a_name_that_is_rather_long_for_a_phone": result(),
        },
    }
    return claims | {name: claim(name, subjects) for name, subjects in measured.items()}


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_png(path: Path, title: str) -> None:
    """Write a white picture of 40 by 20 pixels that knows its title."""
    path.parent.mkdir(parents=True, exist_ok=True)
    information = PngImagePlugin.PngInfo()
    information.add_text("Title", title)
    Image.new("L", (40, 20), "white").save(path, pnginfo=information)


def write_config() -> None:
    declared = {
        "experiments": {"digits": {"seeds": [0]}, "grokking": {"seeds": [0]}},
        "connections": {"digits": {"experiment": "digits"}},
        "tickets": {"digits_magnitude": {"experiment": "digits"}},
        "samples": {"images": {"experiment": "digits"}},
        "something_else": 1,
    }
    write_json(paths.COLLECT_CONFIG, declared)
    write_json(paths.CLAIMS_CONFIG, {"confidence": 0.9, "thresholds": {}})
    for name, decay in {"digits": 0.0001, "grokking": 1.0}.items():
        training = {
            "problem": {"kind": "classification"},
            "optimizer": {"kind": "sgd", "betas": [0.9, 0.98], "weight_decay": decay},
            "gradient_clip": None,
            "experiment": name,
        }
        write_json(paths.experiment_config(name, "training"), training)
    connection = {"experiment": "digits", "split_steps": [0, 36]}
    write_json(paths.connection_config("digits", "branch"), connection)
    write_json(paths.CONFIG / "samples" / "images.json", {"experiment": "digits", "num_images": 4})
    ticket = {"experiment": "digits", "kind": "magnitude", "density": 0.05, "rewind_step": 36}
    write_json(paths.CONFIG / "tickets" / "digits_magnitude" / "retrain.json", ticket)


def write_summary() -> None:
    value, undefined = {"mean": 0.12345, "std": 0.0123}, {"mean": None, "std": None}
    pruned = {"top_0.5": {"train/loss": value}, "bottom_0.5": {"train/loss": undefined}}
    experiment = {"train/loss": value, "alignment_score": undefined, "pruned": pruned}
    connection = {"split_0": {"train/loss_barrier": value}, "split_36": {"agreement_score": value}}
    summary = {
        "experiments": {"digits": experiment, "grokking": experiment},
        "connections": {"digits": connection},
    }
    write_json(paths.SUMMARY, summary)
