"""Speaks texts with espeak-ng, as a program of its own (the library is under the GPL, version 3).

It imports nothing of specflow. Standard input is JSON: a list of [voice, text]. Standard output is,
for each, the number of bytes (8 bytes, little-endian) and then 16-bit samples. The library carries
state from one utterance to the next, so bytes are the same only for the same list in a new process.
"""

import ctypes
import json
import struct
import sys

SAMPLE_RATE = 22_050  # Hz
_SYNCHRONOUS = 2
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Synthesizer:
    """The library espeak-ng, set up to give samples instead of sound."""

    def __init__(self, library: str, data: str) -> None:
        """Start the library.

        Args:
            library: Path of the shared library.
            data: Path of its voices; without it, espeak-ng would look for those of the system.

        Raises:
            RuntimeError: If it does not start.
        """
        self._samples = bytearray()
        self._espeak = ctypes.CDLL(library)
        self._callback = _CALLBACK(self._take)  # kept, as the library keeps no reference
        rate = self._espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0)
        if rate != SAMPLE_RATE:
            raise RuntimeError(f"espeak-ng started with {rate}; expected {SAMPLE_RATE} Hz")
        self._espeak.espeak_SetSynthCallback(self._callback)

    def speak(self, voice: str, text: str) -> bytes:
        """Return the 16-bit samples of a text.

        Args:
            voice: Language and variant, for example "en-us+m3".
            text: What is said.

        Raises:
            RuntimeError: If there is no such voice, or nothing was said.
        """
        self._samples.clear()
        # Breathy voices draw random numbers; without a seed they would differ between processes.
        self._espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
        if self._espeak.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        spoken = text.encode() + b"\0"
        size = ctypes.c_size_t(len(spoken))
        if self._espeak.espeak_Synth(spoken, size, 0, 1, 0, _UTF8, None, None):
            raise RuntimeError(f"espeak-ng could not say {text!r} as {voice!r}")
        return bytes(self._samples)

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: int) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        return 0


def main() -> None:
    """Speak what standard input lists."""
    import espeakng_loader

    synthesizer = Synthesizer(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    for voice, text in json.load(sys.stdin):
        samples = synthesizer.speak(voice, text)
        sys.stdout.buffer.write(struct.pack("<q", len(samples)) + samples)


if __name__ == "__main__":
    main()
