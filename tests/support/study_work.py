"""Work for the tests of study_run: in a module of its own, because other processes must be able to import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.errors import InputError


def measure(payload: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Numbers that depend on the seed in every bit, after doing what the payload tells."""
    if "log" in payload:  # one line for every time that this recording is measured
        with Path(payload["log"]).open("a", encoding="utf-8") as log:
            log.write(f"{payload['seed']}\n")
    match payload.get("do"):
        case "refuse":
            raise InputError(f"{payload['file']}: is empty;\nrecord it again")
        case "break":
            raise RuntimeError("a shape is wrong")
        case "leave":
            raise SystemExit(3)
        case "open":
            Path(payload["file"]).read_text(encoding="utf-8")
        case "die":
            os._exit(7)
        case "die once" if not Path(payload["file"]).exists():
            Path(payload["file"]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "object":
            return {}, {"objects": np.array([object()])}
        case "interrupt":
            raise KeyboardInterrupt
    time.sleep(payload.get("sleep_s", 0))
    random = np.random.default_rng(payload["seed"])
    matrix = random.normal(size=(120, 200)).astype(np.float32)
    product = matrix @ random.normal(size=(200, 300)).astype(np.float32)  # other bits with other numbers of threads
    values = {"mean": float(product.mean()), "shape": product.shape, 1: None}
    return values, {"product": product, "turned/file": product.T[:5]}


def threads(payload: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """How many threads the libraries of this process compute with."""
    import cv2
    from threadpoolctl import threadpool_info

    return {"blas": [pool["num_threads"] for pool in threadpool_info()], "opencv": cv2.getNumThreads()}, {}
