"""The process beside a training, as the training sees it."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from specflow.live.messages import Copied, Failed, Measured, Setup
from specflow.live.network import Network
from specflow.measure.settings import SpectraParams

_SOURCE = str(Path(__file__).parents[2])


class Beside:
    """A process of the lowest priority that measures what is copied for it.

    Attributes:
        buffers: Where to.
        free: Which of the places there are free.
    """

    def __init__(
        self, target: Path, network: Network, settings: SpectraParams, *, stores: bool
    ) -> None:
        """Start it; if it `stores`, it keeps the weights too.

        Raises:
            SpecflowError: If there is no memory for copies.
        """
        self.buffers = network.buffers()
        self.free = {*range(self.buffers.count)}
        self._answers: SimpleQueue[Measured | Failed] = SimpleQueue()
        self._is_asked = True
        number = self.buffers.file.fileno()
        paths = [_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "specflow.live.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[number],
            env={**os.environ, **own},
            start_new_session=True,  # Ctrl-C ends the training, and that the process
        )
        self.buffers.file.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        about = target, network.wiring, settings, network.infos, self.buffers.infos
        self.send(Setup(*about, self.buffers.count, number, stores))

    def send(self, message: Setup | Copied) -> None:
        """Tell it something; if it has ended, why is among its answers."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()

    def answers(self) -> Iterator[Measured | Failed]:
        """Yield what it has answered since; places that it has read are free again."""
        with suppress(Empty):
            while True:
                answer = self._answers.get_nowait()
                if isinstance(answer, Measured):
                    self.free.add(answer.slot)
                yield answer

    def end(self) -> None:
        """Wait until it has measured all that was copied, and the file is complete."""
        self._is_asked = False
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers, suppress(EOFError, pickle.UnpicklingError):
            while True:
                self._answers.put(pickle.load(answers))
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.returncode or self._is_asked:
            code = self._process.returncode
            ended = f"the process beside it has ended, with exit status {code}"
            self._answers.put(Failed(ended))
