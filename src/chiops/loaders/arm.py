"""One arm from configuration to result: open, set the caches, verify them, run against the clock."""

from __future__ import annotations

import os
import time
from typing import Any

from . import metrics, pipelines, vision
from .config import ArmConfig
from .environment import capture
from .loader import Loader, shared_memory_needed
from .network import interface_towards, resolve
from .protocol import ArmError, Channel
from .recorder import record
from .samples import Tally
from .usage import snapshot, spent_since


def prepare_torch() -> None:
    """One thread per process: the transform is PIL's, and a pool would fight with the workers for the cores."""
    import torch

    torch.set_num_threads(1)


def run(config: ArmConfig, channel: Channel) -> dict[str, Any]:
    """Run the arm. A sample that fails raises `ArmError`; nothing is dropped."""
    prepare_torch()
    vision.torchvision()
    _need_shared_memory(config)
    open_pipeline = pipelines.load(config.format)
    begun = time.perf_counter()
    pipeline = open_pipeline(config)
    open_s = time.perf_counter() - begun

    channel.note(f"setting caches {config.cache}")
    pipeline.prepare_cache()
    cache = pipeline.cache_state()

    before = snapshot()
    begun = time.perf_counter()
    loader = Loader(config, pipeline)
    open_s += time.perf_counter() - begun
    delivered = 0

    def count(tally: Tally) -> None:
        nonlocal delivered
        delivered += tally.samples
        channel.progress("samples", delivered, pipeline.samples, "img")

    try:
        recording = record(loader, on_batch=count)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise ArmError(f"the pipeline failed after {delivered} samples", last_line(error)) from error
    spent = spent_since(before)  # the last batch has come, so the workers have ended and been waited for
    if delivered != pipeline.samples:
        raise ArmError(f"the pipeline delivered {delivered} samples of {pipeline.samples}")
    numbers = metrics.compute(
        recording,
        spent,
        batch_size=config.batch_size,
        warmup_batches=config.warmup_batches,
        open_s=open_s,
        interface=_interface(config),
    )
    return {"metrics": numbers, "cache": cache.as_json(config.cache)}


def inspect(configs: list[ArmConfig]) -> dict[str, Any]:
    """What there is to read, by format, and where: asked once before the arms, so that what is missing shows early."""
    prepare_torch()
    found: dict[str, Any] = {}
    for config in configs:
        try:
            pipeline = pipelines.load(config.format)(config)
            found[config.format] = {
                "samples": pipeline.samples,
                "split_samples": pipeline.split_samples,
                "split_bytes": pipeline.split_bytes,
            }
        except ArmError as failure:
            found[config.format] = {"what": failure.what, "why": failure.why, "todo": failure.todo}
    url = next((config.s3.url for config in configs if config.s3), None)
    return {"formats": found, "environment": {**capture(url), "transform": vision.TRANSFORM}}


def last_line(error: BaseException) -> str:
    """What an error says, without the worker's traceback that torch packs around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _interface(config: ArmConfig) -> str | None:
    """The interface towards the object store."""
    place = resolve(config.s3.url) if config.s3 else None
    return interface_towards(place[0]) if place else None


def _need_shared_memory(config: ArmConfig) -> None:
    """Workers hand batches over in /dev/shm; too little of it ends them with a bare "Bus error"."""
    filesystem = os.statvfs("/dev/shm")  # noqa: S108
    free, needed = filesystem.f_bavail * filesystem.f_frsize, shared_memory_needed(config)
    if needed > free:
        raise ArmError(
            f"{config.workers} workers with batches of {config.batch_size} need {needed >> 20} MiB of shared memory",
            f"the container has {free >> 20} MiB",
            "take fewer workers or smaller batches, or give the container a larger --shm-size",
        )
