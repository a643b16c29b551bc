"""The default graph on 64 simulated slots, beside its critical path.

The seconds of every stage are those that `specflow repro` measured in the working folder with the
settings of params.yaml; the scheduling is that of `specflow plan --slots`.
"""

import argparse
import sys
from pathlib import Path

from specflow.config.params import load_params
from specflow.plan.simulation import critical_path, wall_time
from specflow.plan.speeds import Speeds
from specflow.plan.stages import upstream_of
from specflow.repro import HISTORY
from specflow.schedule import History

AT_MOST = 1.3  # times the critical path


def main() -> None:
    """Print seconds of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"))
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--jobs", type=int, help="stages side by side")
    chosen = parser.parse_args()
    params = load_params(chosen.params)
    upstream, speeds = upstream_of(params), Speeds(params, History.read(HISTORY), "cpu")
    of = {name: speeds.of(name) for name in upstream}
    if lacking := [name for name, one in of.items() if one.source != "measured"]:
        told = f"{HISTORY}: {len(lacking)} of {len(of)} stages are not measured, as {lacking[0]}"
        sys.exit(f"{told}; expected the seconds of all, which a whole `specflow repro` leaves")
    loads = {name: one.load(speeds.start) for name, one in of.items()}
    longest, path = critical_path(list(upstream), upstream, loads)
    seconds = wall_time(list(upstream), upstream, loads, chosen.slots, chosen.jobs)
    ratio = seconds / longest
    print(
        f"{len(of)} stages on {chosen.slots} slots: {seconds:.0f} s, critical path {longest:.0f} s "
        f"({', '.join(path)}): {ratio:.3f} times"
    )
    if chosen.slots == 64 and chosen.jobs is None and ratio > AT_MOST:
        sys.exit(f"expected at most {AT_MOST} times")


if __name__ == "__main__":
    main()
