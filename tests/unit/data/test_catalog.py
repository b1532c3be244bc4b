"""The catalogue on the control side says what the node side has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chiops.data import catalog, options
from chiops.errors import UsageError
from chiops.etl import datasets, formats, tree
from chiops.etl.config import STAGES, Options
from chiops.etl.datasets import food11_synthetic


def test_both_sides_know_the_same() -> None:
    assert set(catalog.DATASETS) == set(datasets.NAMES)
    assert {name: one.suffix for name, one in catalog.FORMATS.items()} == {
        name: formats.open_format(name, Options()).suffix for name in formats.NAMES
    }
    assert catalog.SPLITS == tree.SPLITS
    assert catalog.STAGES == STAGES
    assert options.FEWEST_IMAGES == food11_synthetic.FEWEST
    assert (options.SMALLEST_SHARD, options.LARGEST_SHARD) == (formats.SMALLEST_SHARD, formats.LARGEST_SHARD)


def test_a_typing_error_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no dataset 'food11-sinthetic'.* 'food11-synthetic'"):
        catalog.find_dataset("food11-sinthetic")
    with pytest.raises(UsageError, match=r"no format 'litadta'.* 'litdata'"):
        catalog.find_format("litadta")
    with pytest.raises(UsageError, match=r"no format 'mdss'.* 'mds'"):
        catalog.find_formats(["imagefolder", "mdss"])


def test_all_formats_are_named_by_one_word() -> None:
    assert catalog.find_formats(["mds", "all"]) == tuple(catalog.FORMATS)
    assert catalog.find_formats(["mds", "litdata", "mds"]) == ("mds", "litdata")


def test_a_prefix_is_a_root_and_a_format() -> None:
    for name, one in catalog.FORMATS.items():
        assert catalog.of_prefix(one.prefix(catalog.root_of("food11")), name) == "Food-11"
        assert catalog.of_prefix(one.prefix(catalog.root_of("flowers")), name) == "flowers"


def test_the_command_line_gets_them_without_heavy_imports() -> None:
    code = "import sys, chiops.data.catalog, chiops.data.prepare, chiops.data.verify; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore", "PIL", "multiprocessing", "chiops.remote.container", "asyncio"} & set(loaded)
