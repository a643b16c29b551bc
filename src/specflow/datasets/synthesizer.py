"""Speaks texts with espeak-ng, as a program of its own (the library is under the GPL, version 3).

It imports nothing of specflow. Standard input is JSON: a list of [voice, text], a voice being for
example "en-us+m3". Standard output is, for each, the number of bytes (8 bytes, little-endian) and
then 16-bit samples. The library carries state from one utterance to the next, so bytes are the same
only for the same list in a new process.
"""

import ctypes
import json
import struct
import sys

SAMPLE_RATE = 22_050  # Hz
_SYNCHRONOUS = 2  # gives samples instead of sound
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def main() -> None:
    """Speak what standard input lists.

    Raises:
        RuntimeError: If the library does not start, has no such voice, or says nothing.
    """
    import espeakng_loader

    spoken = bytearray()

    @_CALLBACK
    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: int) -> int:
        if samples and count > 0:
            spoken.extend(ctypes.string_at(samples, 2 * count))
        return 0

    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    voices = espeakng_loader.get_data_path().encode()  # or else it looks for those of the system
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, voices, 0)
    if rate != SAMPLE_RATE:
        raise RuntimeError(f"espeak-ng started with {rate}; expected {SAMPLE_RATE} Hz")
    espeak.espeak_SetSynthCallback(take)
    for voice, text in json.load(sys.stdin):
        spoken.clear()
        # Breathy voices draw random numbers; without a seed they would differ between processes.
        espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
        if espeak.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        content = text.encode() + b"\0"
        size = ctypes.c_size_t(len(content))
        if espeak.espeak_Synth(content, size, 0, 1, 0, _UTF8, None, None):
            raise RuntimeError(f"espeak-ng could not say {text!r} as {voice!r}")
        sys.stdout.buffer.write(struct.pack("<q", len(spoken)) + spoken)


if __name__ == "__main__":
    main()
