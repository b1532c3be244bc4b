"""One arm from configuration to result: open, set the caches, verify them, run against the clock."""

from __future__ import annotations

import time
from typing import Any

from . import memory, metrics, pipelines, vision
from .config import ArmConfig
from .environment import capture, version
from .failures import broken, short
from .loader import Loader
from .network import interface_towards, resolve
from .protocol import ArmError, Channel
from .recorder import NoBatch, emulate, record
from .samples import Tally
from .traffic import Traffic
from .usage import MemoryWatch, snapshot, spent_since


def prepare_torch() -> None:
    """One thread per process: the transform is PIL's, and a pool would fight with the workers for the cores."""
    import torch

    torch.set_num_threads(1)


def run(config: ArmConfig, channel: Channel) -> dict[str, Any]:
    """Run the arm. A sample that fails raises `ArmError`; nothing is dropped."""
    prepare_torch()
    vision.torchvision()
    memory.need(config)
    traffic = Traffic()
    traffic.watch_botocore()
    open_pipeline = pipelines.load(config)
    begun = time.perf_counter()
    pipeline = open_pipeline(config, traffic)
    open_s = time.perf_counter() - begun

    channel.note(f"setting caches {config.cache}")
    pipeline.prepare_cache()
    cache = pipeline.cache_state()

    before, (requests, received) = snapshot(), traffic.so_far()
    begun = time.perf_counter()
    loader = Loader(config, pipeline)
    open_s += time.perf_counter() - begun
    delivered, expected = 0, pipeline.samples * config.epochs

    def count(tally: Tally) -> None:
        nonlocal delivered
        delivered += tally.samples
        channel.progress("samples", delivered, expected, "img")

    try:
        with MemoryWatch() as watch:
            recording = record(
                loader,
                epochs=config.epochs,
                compute=emulate(config.emulate_s, config.batch_size),
                on_batch=count,
            )
    except NoBatch:
        raise short(config, delivered, expected) from None
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        raise broken(error, config, delivered, loader.workers) from error
    spent = spent_since(
        before, watch.peak_bytes
    )  # the last batch has come, so the workers have ended and been waited for
    if delivered != expected:
        raise short(config, delivered, expected)
    sent, got = traffic.so_far()
    numbers = metrics.compute(
        recording,
        spent,
        batch_size=config.batch_size,
        warmup_batches=config.warmup_batches,
        open_s=open_s,
        interface=_interface(config),
        traffic=(sent - requests, got - received) if pipeline.counts_traffic else None,
    )
    return {"metrics": numbers, "cache": cache.as_json(config.cache), "method": _method(config, pipeline)}


def _method(config: ArmConfig, pipeline: pipelines.Pipeline) -> dict[str, Any]:
    """How the samples came, for the result."""
    return {
        "client": config.client if pipeline.has_client else None,
        "client_version": version(config.client) if pipeline.has_client else None,
        "fetcher": config.fetcher,
        "in_flight": config.in_flight,
        "order": pipeline.order,
        "mount": config.mount or None,
    }


def inspect(configs: list[ArmConfig]) -> dict[str, Any]:
    """What there is to read, by format, and where: asked once before the arms, so that what is missing shows early."""
    prepare_torch()
    found: dict[str, Any] = {}
    for config in configs:
        try:
            pipeline = pipelines.load(config)(config, Traffic())
            found[config.format] = {
                "samples": pipeline.samples,
                "split_samples": pipeline.split_samples,
                "split_bytes": pipeline.split_bytes,
            }
        except ArmError as failure:
            found[config.format] = {"what": failure.what, "why": failure.why, "todo": failure.todo}
    url = next((config.s3.url for config in configs if config.s3), None)
    return {"formats": found, "environment": {**capture(url), "transform": vision.TRANSFORM}}


def _interface(config: ArmConfig) -> str | None:
    """The interface towards the object store."""
    place = resolve(config.s3.url) if config.s3 else None
    return interface_towards(place[0]) if place else None
