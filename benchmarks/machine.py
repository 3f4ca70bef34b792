"""What a figure was measured on, without which it says nothing."""

import asyncio
import datetime
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil


def describe() -> dict[str, str | int]:
    """Date, processor, cores that this process may use, and memory in GiB."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
    }


def title(machine: dict[str, str | int]) -> str:
    """The machine in a table's caption."""
    return f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory(process_id: int) -> int:
    """The most bytes that a process has had in memory at once, files that it has mapped included."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {process_id} has ended")


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    return float(np.quantile(values, share, method="higher"))


async def quiet(patience: float, share: float = 0.1) -> float:
    """Waits until others leave the cores alone, or for `patience` seconds; returns the share that they used at last.

    Engines that spin at barriers (OpenMP's) lose most of their speed to one busy neighbour, so a comparison on a busy
    machine would flatter those that do not. To be called while everything measured is idle.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        psutil.cpu_percent()
        await asyncio.sleep(1)
        used = psutil.cpu_percent() / 100
        if used <= share or loop.time() >= until:
            return used


def read_bandwidth(megabytes: int = 768, repeats: int = 5) -> float:
    """Bytes a second that all cores together read from memory: the best of several passes over a large array."""
    cores = len(os.sched_getaffinity(0))
    parts = np.array_split(np.ones(megabytes * 2**18, np.float32), cores)
    best = 0.0
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(repeats):
            began = time.perf_counter()
            list(pool.map(np.max, parts))
            best = max(best, megabytes * 2**20 / (time.perf_counter() - began))
    return best


def matmul_rate(size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations a second of a large float32 product, by the fastest of several."""
    left, right = np.ones((2, size, size), np.float32)
    best = 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        left @ right
        best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best
