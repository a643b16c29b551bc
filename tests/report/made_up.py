"""Made-up results as the stages before the report write them."""

import json
from collections.abc import Iterable
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from ruamel.yaml import YAML
from tests.clones import ROOT, TINY
from tests.sealed import write_csv

from specflow import paths
from specflow.config.params import load_params
from specflow.config.resolved import resolved
from specflow.figures.index import FigureEntry, write_index


def entry(kind: str, of: str, subject: str | None, *claims: str, **more: Any) -> FigureEntry:
    file = "_".join(filter(None, (kind, subject))) + ".png"
    about = {"kind": kind, "of": of, "subject": subject, "claims": claims, "caption": ""} | more
    return FigureEntry(file=file, title=f"Title of {kind}: {subject}", **about)


FIGURES = (
    entry("effective_rank", "experiments", "digits", "rank_falls", "grokking_coincides"),
    entry("effective_rank", "experiments", "grokking", "rank_falls", "grokking_coincides"),
    entry("losses", "experiments", "grokking", "grokking_coincides", caption="Statistics & <note>"),
    entry("retrained", "experiments", "digits", "tickets_keep_top", shows="tickets"),
    entry("barriers", "connections", "digits", "late_split_connected"),
    entry("samples", "samples", "images"),
    entry("effective_rank", "checkpoints", "public"),
    entry("grokking", "project", None, "grokking_coincides", "more_data_low_rank"),
    entry("errors", "project", None),
)


def result(verdict: str = "holds", **changes) -> dict:
    base = {"value": 0.9, "low": 0.85, "high": 0.95, "num_units": 3, "unit": "seeds"}
    return base | {"verdict": verdict} | changes


def claim(claim_id: str, subjects: dict | None = None, **more) -> dict:
    words = {"claim": f"claim {claim_id}", "statistic": f"mean of {claim_id}", "holds_when": "> 0"}
    words["paper"] = f"the paper on {claim_id}"
    return words | {"subjects": subjects or {}} | more


SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}
CLAIMS = {
    name: claim(name, subjects)
    for name, subjects in {
        "rank_falls": {
            "digits": result(),
            "grokking": result("does not hold", value=-0.25, low=-0.5, high=0.0),
        },
        "top_settles_early": {"grokking": result(also={"score": SCORE})},
        "alignment_weak": {
            "grokking": result("undecided", over_null=1.7, p=0.25, needed=12, note="few pairs")
        },
        "grokking_coincides": {"grokking": result(value=None, low=None, high=None)},
        "tickets_keep_top": {"digits, density 0.05, step 36": result()},
        "late_split_connected": {
            "digits": result(value=-0.00098, low=-0.0011, high=-0.0008),
            "digits_with_a_name_that_is_rather_long_for_a_phone": result(),
        },
    }.items()
} | {"more_data_low_rank": claim("more_data_low_rank", absent="no experiment with more data")}


@cache
def resolved_config() -> dict[str, dict]:
    """Return what `resolve` writes of the tiny preset with the names of these results."""
    tiny = YAML(typ="safe").load(TINY.read_text("utf-8").replace("digits_vgg", "digits"))
    tiny["samples"] = {"images": tiny["samples"]["digits_unet"]}
    read = tiny["checkpoints"]["digits"] | {"path": "models/public", "layout": "gpt_neox"}
    tiny["checkpoints"] = {"public": read, "sound": read}
    with TemporaryDirectory() as folder, chdir(ROOT):  # where the scripts of stages are
        params = Path(folder, "params.yaml")
        YAML(typ="safe").dump(tiny, params)
        return json.loads(json.dumps(resolved(load_params(params)), sort_keys=True))


def config_of(*kinds: str) -> dict[str, dict]:
    """Return the settings where nothing is declared but some kinds of experiments."""
    config = resolved_config()
    entries = config["collect"]["all"]["entries"]
    return config | {"collect": {"all": {"entries": {kind: entries[kind] for kind in kinds}}}}


_VALUE, _UNDEFINED = {"mean": 0.12345, "std": 0.0123}, {"mean": None, "std": None}
_EXPERIMENT = {
    "train/loss": _VALUE,
    "alignment_score": _UNDEFINED,
    "pruned": {"top_0.5": {"train/loss": _VALUE}, "bottom_0.5": {"train/loss": _UNDEFINED}},
}
SUMMARY = {
    "experiments": {"digits": _EXPERIMENT, "grokking": _EXPERIMENT},
    "connections": {"digits": {"split_0": {"barrier": _VALUE}, "split_36": {"score": _VALUE}}},
}

TABLES = {
    "history": """\
experiment,seed,step,split,metric,value
digits,0,0,train,loss,2.5
digits,0,36,train,loss,0.5
digits,0,36,validation,loss,0.75
digits,0,36,validation,loss_baseline,2.3
digits,1,36,train,loss,0.25
digits,0,36,train,bits,0.125
""",
    "metrics": """\
experiment,metric,label
digits,loss,loss
digits,error,share of errors
""",
    "ticket_history": """\
ticket,seed,step,split,metric,value
digits_magnitude,0,36,validation,error,0.125
digits_magnitude,0,36,validation,loss,0.75
""",
    "barriers": """\
connection,relation,trunks,split_step,scale,branches,split,keep,keep_fraction,metric,barrier
digits,within,0,0,0,0-1,validation,full,1,loss,0.5
digits,within,0,0,0,0-2,validation,full,1,loss,1.5
digits,within,0,36,0,0-1,validation,full,1,loss,0.01
digits,across,0-1,36,0,0-0,validation,full,1,loss,2.25
digits,perturbed,0,36,0.5,0-1,validation,full,1,loss,9
digits,within,0,36,0,0-1,validation,top,0.5,loss,8
""",
    "alignment": """\
experiment,seed,step,pair,alignment_score
public,0,0,A -> B,0.5
public,0,120,A -> B,0.25
public,0,120,B -> C,0.75
""",
    "pairs": """\
experiment,pair,depth,null_alignment
public,B -> C,1,0.2
public,A -> B,0,0.1
""",
    "audit": """\
experiment,step,tensor,flag,evidence
public,120,all,out_of_order,fits in the place of step 80 <&>
""",
    "steps": """\
experiment,step,epoch
digits,0,0
public,0,
public,120,
sound,5,
""",
    "matrices": """\
experiment,matrix,label,role,depth,rows,columns,null_agreement
public,b.weight,B <b>,conv,1,4,18,0.1
public,a.weight,A,embedding,0,10,4,0.1
sound,a.weight,A,embedding,0,10,4,0.1
""",
    "spectra": """\
experiment,seed,step,matrix,stable_rank,log_norm,agreement_score,step_agreement_score
public,0,0,a.weight,3.5,1,0.5,
public,0,0,b.weight,3.5,1,0.5,
public,0,120,a.weight,2.25,-0.5,1,0.75
public,0,120,b.weight,,,,
sound,0,5,a.weight,2.25,-0.5,1,
""",
}


def write_tables(folder: Path) -> None:
    for name, text in TABLES.items():
        write_csv(folder / f"{name}.csv", text)


def write_figures(folder: Path, entries: Iterable[FigureEntry]) -> None:
    """Write white pictures of 40 by 20 pixels, and their list."""
    folder.mkdir(parents=True, exist_ok=True)
    write_index(paths.FIGURES_INDEX, entries)
    for one in entries:
        Image.new("L", (40, 20), "white").save(folder / one.file)
