"""Stands in for the ``radgraph`` package: its interface, its noise, and faults on demand.

The first word of a report may ask for a fault (``do_...`` below); every other report has one
entity a word. FAULT and FAULT_AT_START in the environment name an exception and its message.
"""

import builtins
import os
import signal
import socket
import sys
import time
from pathlib import Path


def fail(variable):
    if variable in os.environ:
        kind, message = os.environ[variable].split(": ")
        raise getattr(builtins, kind)(message)


print("noise when imported", flush=True)
os.write(1, b'{"text": "noise", "entities": {}}\n')
fail("FAULT")


class RadGraph:
    def __init__(self, model_type, cuda, model_cache_dir):
        assert Path(model_cache_dir, model_type, "config.json").is_file()
        fail("FAULT_AT_START")
        self.device = cuda

    def __call__(self, texts):
        (text,) = texts
        print("noise at every report", "x" * 100_000)
        os.write(2, b"\xff\xfe no UTF-8\n")
        word, _, rest = text.partition(" ")
        if hasattr(self, "do_" + word):
            getattr(self, "do_" + word)(rest)
        if word == "nothing":
            return {}
        tokens = text.split()
        label = "Observation::sure" if word == "label" else "Observation::definitely present"
        entities = {
            str(at + 1): {
                "tokens": "else" if word == "span" else token,
                "label": label,
                "start_ix": at,
                "end_ix": at,
                "relations": [],
            }
            for at, token in enumerate(tokens)
        }
        return {"0": {"text": " ".join(tokens), "entities": entities, "data_source": None}}

    def do_raise(self, rest):
        raise ValueError("two\nlines")

    def do_cuda(self, rest):
        raise RuntimeError("CUDA error: device-side assert triggered")

    def do_leave(self, rest):
        print("a last word", file=sys.stderr)
        os._exit(3)

    def do_die(self, rest):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_once(self, rest):
        mark = Path(os.environ["MARKS"], "seen")
        if not mark.exists():
            mark.touch()
            os._exit(1)

    def do_wait(self, rest):
        time.sleep(float(rest))

    def do_call(self, rest):
        socket.create_connection(("127.0.0.1", int(rest)), timeout=5)

    def do_environment(self, name):
        raise LookupError(os.environ.get(name))

    def do_import(self, name):
        __import__(name)

    def do_device(self, rest):
        raise LookupError(self.device)
