"""Processes end with the one that started them, however that ends."""

import os
import threading
import time

_FIRST = 1  # the process that gets the children of one that has ended


def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent ends, even if that was killed, or is gone already.

    `SPECFLOW_REPRO` may name one more process, the parent of DVC, to end with.

    Args:
        parent: The parent's number.
    """
    given = os.environ.get("SPECFLOW_REPRO", "")
    other = int(given) if given.isdecimal() else None

    def watch() -> None:
        while os.getppid() == parent and (other is None or _is_there(other)):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def exit_with_dvc() -> None:
    """End this process, a stage, soon after DVC ends, even if that was killed, or is gone already.

    The first process is no DVC that lives, but in a container that runs DVC alone.
    """
    parent = os.getppid()
    if parent == _FIRST and not _is_dvc(parent):
        os._exit(1)
    exit_with_parent(parent)


def _is_dvc(process: int) -> bool:
    import psutil  # comes with DVC

    return any("dvc" in word for word in psutil.Process(process).cmdline())


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:  # or the number is now that of a process of somebody else
        return False
    return True
