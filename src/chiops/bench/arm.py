"""What the node side is told of an arm, and what it said of the data. The other half: ``chiops.loaders.config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chiops.bench.matrix import Combination
from chiops.bench.options import BenchOptions
from chiops.bench.results import FormatFacts
from chiops.cloud.base import S3Access
from chiops.errors import DataError


def configure(one: Combination, options: BenchOptions, s3: S3Access) -> dict[str, Any]:
    """The arm's configuration. It goes over stdin, since the key is in it."""
    choices = {"client": one.client, "fetcher": one.fetcher}
    return {
        "format": one.format,
        "dataset": options.dataset,
        "root": options.root,
        "split": options.split,
        "cache": one.cache,
        "access": one.access,
        "workers": one.workers,
        "mount": one.mount,
        **{name: choice for name, choice in choices.items() if choice},
        "fetchers": options.fetchers_in_flight,
        "samples": options.samples,
        "batch_size": options.batch_size,
        "epochs": options.epochs,
        "emulate_s": options.emulate_s,
        "warmup_batches": options.warmup_batches,
        "seed": options.seed,
        "timeout_s": options.batch_timeout_s,
        "data_dir": "/data",
        "cache_dir": "/cache",
        "mount_dir": "/bucket",
        "s3": {
            "url": s3.endpoint.url,
            "region": s3.endpoint.region,
            "bucket": s3.bucket,
            "access": s3.access,
            "secret": s3.secret,
        },
    }


def facts_of(found: Mapping[str, dict[str, Any]]) -> dict[str, FormatFacts]:
    """What there is, by format.

    Raises:
        DataError: a format's data is not there, or the formats do not hold equally many samples.
    """
    for name, answer in found.items():
        if "what" in answer:
            raise DataError(f"{name} cannot run: {answer['what']}", why=answer["why"], todo=answer["todo"])
    facts = {name: FormatFacts.model_validate(answer) for name, answer in found.items()}
    counts = {one.split_samples for one in facts.values()}
    if len(counts) > 1:
        sides = ", ".join(f"{name} has {one.split_samples}" for name, one in facts.items())
        raise DataError(
            "the formats do not hold the same samples",
            why=sides,
            todo="run `chiops data prepare` again with all formats",
        )
    return facts
