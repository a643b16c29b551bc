"""Peak memory and time of a network of 1.4 billion parameters: made-up shards in GPT-NeoX layout.

Random bfloat16 weights of the shapes of a 1.4-billion-parameter GPT-NeoX (24 blocks of width 2048,
16 heads, vocabulary of 50304) in two shards a step, in a temporary folder: 2.8 GB a step. The
analysis runs in a process of its own, whose peak memory and times are printed. `--blocks` and
`--steps` make it smaller or longer, `--audit` leaves the spectra out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file

from specflow.audit.flags import audit_checkpoints
from specflow.executor import num_workers
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.scratch import Scratch
from specflow.studies.checkpoints.analysis import read_checkpoints
from specflow.studies.checkpoints.settings import ReadingParams

WIDTH, HEADS, VOCABULARY = 2048, 16, 50304
LIMIT = 3.0  # GiB


def main() -> None:
    """Write the checkpoints, analyse them in another process and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--audit", action="store_true", help="the audit alone, without spectra")
    parser.add_argument("--analyse", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.analyse is not None:
        _analyse(chosen.analyse, spectra=not chosen.audit)
        return
    with tempfile.TemporaryDirectory() as folder:
        for step in range(chosen.steps):
            _write_step(Path(folder) / f"step{1000 * step}", step, chosen.blocks)
        command = [sys.executable, __file__, "--analyse", folder]
        command += ["--audit"] if chosen.audit else []
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, audit, spectra = json.loads(done.stdout)
    parameters = _count(chosen.blocks) / 1e9
    print(
        f"{chosen.steps} checkpoints of {parameters:.2f} billion parameters, {num_workers()} "
        f"workers: peak memory {peak:.2f} GiB (limit {LIMIT:g})\n"
        f"seconds a step, audit: {', '.join(f'{seconds:.1f}' for seconds in audit)}"
    )
    if spectra:
        print(
            f"seconds a step, spectra: {', '.join(f'{seconds:.0f}' for seconds in spectra)} "
            "(the first includes the last step, which all are compared with)"
        )
    if peak > LIMIT:
        sys.exit(f"peak memory {peak:.2f} GiB; expected at most {LIMIT:g}")


def _shapes(blocks: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"gpt_neox.embed_in.weight": (VOCABULARY, WIDTH)}
    for block in range(blocks):
        prefix = f"gpt_neox.layers.{block}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (WIDTH,),
            f"{prefix}.attention.query_key_value.weight": (3 * WIDTH, WIDTH),
            f"{prefix}.attention.query_key_value.bias": (3 * WIDTH,),
            f"{prefix}.attention.dense.weight": (WIDTH, WIDTH),
            f"{prefix}.mlp.dense_h_to_4h.weight": (4 * WIDTH, WIDTH),
            f"{prefix}.mlp.dense_4h_to_h.weight": (WIDTH, 4 * WIDTH),
        }
    return shapes | {"embed_out.weight": (VOCABULARY, WIDTH)}


def _count(blocks: int) -> int:
    return sum(torch.Size(shape).numel() for shape in _shapes(blocks).values())


def _write_step(folder: Path, step: int, blocks: int) -> None:
    """Write one step in two shards: a common start, and a change that grows with the step."""
    folder.mkdir()
    names = list(_shapes(blocks).items())
    index = {}
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        tensors = {}
        for place, (name, shape) in enumerate(part):
            generator = torch.Generator().manual_seed(1000 * number + place)
            tensor = 0.02 * torch.randn(shape, generator=generator)
            for _ in range(step):
                tensor += 0.004 * torch.randn(shape, generator=generator)
            tensors[name] = tensor.bfloat16()
            index[name] = file
        save_file(tensors, folder / file)
    text = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(text)


def _analyse(folder: Path, *, spectra: bool) -> None:
    params = ReadingParams.model_validate({"files": ["step*"], "num_heads": HEADS})
    settings = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)
    checkpoints, wiring = read_checkpoints(params, folder)
    scratch, times, workers = Scratch(folder / "scratch"), [time.perf_counter()], num_workers()

    def report(done: int) -> None:
        times.append(time.perf_counter())

    with scratch.locked():
        audit = audit_checkpoints(checkpoints, wiring, scratch, report, workers)
        assert not audit.flags, audit.flags
        if spectra:
            file = folder / "spectra.h5"
            measure_spectra(checkpoints, wiring, settings, file, scratch, report, workers=workers)
    seconds = [after - before for before, after in pairwise(times)]
    # Not that of `resource`, which on Linux begins with the peak of the process that wrote files.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**20
    count = len(checkpoints.steps)
    print(json.dumps([peak, seconds[:count], seconds[count:]]))


if __name__ == "__main__":
    main()
