"""The folder for a run's secrets, and values that stay what they are."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chiops.remote.private_run import literal_yaml, private_run_dir

_HOLD = """
from chiops.remote.private_run import private_run_dir
import time
with private_run_dir() as folder:
    (folder / "secret").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_it_is_ours_alone_and_goes_with_the_run() -> None:
    with private_run_dir() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        (folder / "secret").touch()
    assert not folder.exists()


def test_it_goes_also_when_the_run_fails() -> None:
    with pytest.raises(RuntimeError), private_run_dir() as folder:
        raise RuntimeError
    assert not folder.exists()


def test_a_killed_runs_folder_goes_with_the_next_and_a_living_ones_stays() -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = Path(other.stdout.readline().strip())
        with private_run_dir():
            assert (theirs / "secret").exists()
        other.send_signal(signal.SIGKILL)
    with private_run_dir():
        assert not theirs.exists()


class _AnsibleLoader(yaml.SafeLoader):
    """Reads ``!unsafe`` as Ansible does, and fails on a string that is not marked."""


def _unsafe(loader: yaml.SafeLoader, value: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(value))


_AnsibleLoader.add_constructor("!unsafe", _unsafe)
_AnsibleLoader.add_constructor("tag:yaml.org,2002:str", None)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    max_leaves=8,
)


@given(VALUES)
def test_values_are_literal(value: Any) -> None:
    assert yaml.load(literal_yaml({"v": value}), Loader=_AnsibleLoader)["v"] == value  # noqa: S506


def test_braces_are_marked_as_no_template() -> None:
    assert '!unsafe "{{ x }}"' in literal_yaml({"v": ["{{ x }}"]})
