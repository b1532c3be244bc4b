"""This machine's package settings, as nodes get them."""

from __future__ import annotations

import configparser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.handover import apt_options, debian_sources, local_dirs, pip_settings, remote_only, render_pip

TARGETS = """Debian http://mirror.example/debian bookworm main
Debian http://mirror.example/debian bookworm-updates main
Debian http://mirror.example/debian-security bookworm-security main
Debian http://mirror.example/debian bookworm contrib
Docker https://docker.example/linux bookworm stable
"""


def test_sources_are_the_distributions_own_only() -> None:
    assert debian_sources(TARGETS) == (
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian-security bookworm-security main",
        "deb http://mirror.example/debian bookworm-updates main",
    )


def test_another_release_is_no_source() -> None:
    assert debian_sources("Ubuntu http://mirror.example/ubuntu noble main\n") == ()
    assert debian_sources("Debian http://mirror.example/debian trixie main\n") == ()


def test_apt_options_are_those_of_fetching() -> None:
    dump = (
        'Acquire "";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::https::Verify-Peer "";\n'
        'Acquire::Check-Date "false";\nAPT::Architecture "amd64";\nAcquire::Languages:: "none";\n'
    )
    assert apt_options(dump) == ('Acquire::http::Proxy "http://proxy:3128";', 'Acquire::Check-Date "false";')


def test_pips_environment_wins_over_its_files() -> None:
    listing = (
        ":env:.find-links='/from/environment'\nglobal.find-links='/from/file'\nglobal.cert='/some/ca.crt'\n"
        "install.index-url='https://install.example/simple'\nglobal.index-url='https://global.example/simple'\n"
        "download.index-url='https://other.example/simple'\nnonsense\n"
    )
    assert pip_settings(listing) == {"find-links": "/from/environment", "index-url": "https://install.example/simple"}


@given(st.text())
def test_nothing_that_pip_prints_breaks_it(listing: str) -> None:
    pip_settings(listing)


def test_pip_conf_can_be_read_and_trusts_the_nodes_certificates() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(render_pip({"extra-index-url": "\nhttps://a.example/simple\nhttps://b.example/simple"}))
    assert parser["global"]["cert"] == "/etc/ssl/certs/ca-certificates.crt"
    assert parser["global"]["extra-index-url"] == "https://a.example/simple https://b.example/simple"


def test_local_directories_are_found_and_an_index_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "my index" / "simple").mkdir(parents=True)
    values = [f"{tmp_path}/wheels https://a.example/simple", f"file://{tmp_path}/my%20index/simple", f"{tmp_path}/none"]
    assert local_dirs(values) == (f"{tmp_path}/my index", f"{tmp_path}/wheels")


def test_another_sites_nodes_are_told_of_no_local_files() -> None:
    settings = {
        "index-url": "https://pip.example/simple",
        "extra-index-url": "file:///srv/pypi/simple https://more.example/simple",
        "find-links": "/srv/wheels",
        "no-index": "1",
    }
    assert remote_only(settings) == {
        "index-url": "https://pip.example/simple",
        "extra-index-url": "https://more.example/simple",
    }
