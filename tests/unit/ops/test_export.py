"""Keys in the words of the programs that use them, and the files they are written to."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Ec2Credential, S3Endpoint
from chiops.errors import UsageError
from chiops.ops import export
from chiops.ops.export import ExportFormat

KEY = Ec2Credential(access="AKEY", secret="s3cret/+=", project_id="p")
ENDPOINT = S3Endpoint("https://s3.example.org:7480", region="somewhere", provider="Ceph")


def test_rclones_section_has_what_the_lab_types_by_hand() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(export.render(ExportFormat.RCLONE, KEY, ENDPOINT, "rclone_s3"))
    assert dict(parser["rclone_s3"]) == {
        "type": "s3",
        "provider": "Ceph",
        "access_key_id": "AKEY",
        "secret_access_key": "s3cret/+=",
        "endpoint": "https://s3.example.org:7480",
        "region": "somewhere",
    }


def test_awss_own_library_reads_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    export.write_private(file, export.render(ExportFormat.AWS, KEY, ENDPOINT, "chiops"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    session = boto3.Session(profile_name="chiops")
    found = session.get_credentials().get_frozen_credentials()
    assert (found.access_key, found.secret_key) == ("AKEY", "s3cret/+=")
    client = session.client("s3")
    assert (client.meta.endpoint_url, client.meta.region_name) == (ENDPOINT.url, "somewhere")


def test_a_shell_reads_the_variables(tmp_path: Path) -> None:
    file = tmp_path / "s3.env"
    export.write_private(file, export.render(ExportFormat.ENV, KEY, ENDPOINT, ""))
    script = f"set -a; . {file}; exec sh -c 'echo \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $S3_ENDPOINT_URL\"'"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "AKEY s3cret/+= https://s3.example.org:7480\n"


SECTION = "[ours]\nkey = new\n"


def test_other_sections_stay_to_the_letter() -> None:
    before = "# mine\n[a]\nx = 1\n\n[ours]\nkey = old\nmore = old\n[b]\n# kept\ny = 2"
    after = export.merge(before, SECTION)
    assert after == "# mine\n[a]\nx = 1\n\n[b]\n# kept\ny = 2\n\n[ours]\nkey = new\n"


@given(st.lists(st.sampled_from(["[a]", "[ours]", " [ours]", "[b]", "k = v", "", "# c", "; c"])))
def test_merging_again_changes_nothing_and_loses_no_other_line(lines: list[str]) -> None:
    before = "\n".join(lines)
    once = export.merge(before, SECTION)
    assert export.merge(once, SECTION) == once
    assert once.endswith(SECTION)
    inside = False
    for line in before.splitlines():
        inside = line.strip() == "[ours]" if line.strip().startswith("[") else inside
        assert inside or line in once.splitlines()


def test_a_file_is_private_whatever_it_was_before(tmp_path: Path) -> None:
    file, link = tmp_path / "real", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o644)
    link.symlink_to(file)
    export.write_private(link, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o600, True)
    assert list(tmp_path.iterdir()) in ([file, link], [link, file])


def test_a_missing_folder_is_made_private(tmp_path: Path) -> None:
    export.write_private(tmp_path / "config" / "rclone.conf", "x")
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be written"):
        export.write_private(tmp_path / "file" / "rclone.conf", "x")


def test_what_is_no_text_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_bytes(b"\xff\x00")
    with pytest.raises(UsageError, match="is no configuration file"):
        export.read(file)


@pytest.mark.parametrize("name", ["", "a]b", "a b", "a\nb", "-a", "[x]", "é"])
def test_names_that_would_break_the_file_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        export.check_name(name)
