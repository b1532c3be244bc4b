"""Real runs of Ansible, over the stand-in for ssh."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from chiops import assets
from chiops.cloud.base import Node
from chiops.errors import RemoteFailed, UsageError
from chiops.remote.ansible import run_playbook
from chiops.remote.connection import ConnectionFailed, Fault
from tests.support.poll import wait_for

SECRET = "s3cr3t-{{ braces }}"


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of playbooks of our own."""
    folder = tmp_path / "assets" / "playbooks"
    folder.mkdir(parents=True)
    monkeypatch.setattr(assets, "root", lambda: folder.parent)
    return folder


def write(folder: Path, name: str, tasks: str) -> None:
    text = f"- name: {name}\n  hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"
    (folder / f"{name}.yml").write_text(text)


def test_several_playbooks_run_in_one_go_and_take_values_literally(
    books: Path, node: Node, ssh_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        books,
        "one",
        f"    - name: Write\n      no_log: true\n      ansible.builtin.copy:\n        content: '{{{{ secret }}}}'\n"
        f"        dest: {tmp_path}/out\n        mode: '0600'\n",
    )
    write(books, "two", "    - name: Look\n      ansible.builtin.command: 'true'\n      changed_when: false\n")
    # Whatever a person's own settings say, ours hold.
    (tmp_path / "ansible.cfg").write_text("[defaults]\nstrategy = nonsense\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_STRATEGY", "nonsense")
    run = run_playbook(["one", "two"], [node], secrets={"secret": SECRET})
    assert (tmp_path / "out").read_text() == SECRET
    assert run.changed == 1
    assert run.hosts["node-1"].ok == 2
    assert "PLAY [two]" in run.log.read_text()
    assert run.log.stat().st_mode & 0o777 == 0o600
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert all(SECRET not in path.read_text() for path in kept)
    assert SECRET not in ssh_log.read_text()
    assert list((tmp_path / "state/chiops/runs").iterdir()) == []
    assert run_playbook("one", [node], secrets={"secret": SECRET}).changed == 0


def test_a_task_that_fails_is_told_with_its_reason(books: Path, node: Node, ssh_log: Path) -> None:
    write(books, "bad", "    - name: Break\n      ansible.builtin.command: ls /nowhere/at/all\n")
    with pytest.raises(RemoteFailed) as caught:
        run_playbook("bad", [node])
    assert caught.value.what == "“Break” failed on node-1"
    assert "No such file" in caught.value.why
    assert ".log" in caught.value.todo


def test_a_node_that_is_not_reached_is_told_as_ssh_tells_it(books: Path, node: Node, broken_ssh: object) -> None:
    write(books, "any", "    - name: Look\n      ansible.builtin.command: 'true'\n")
    assert callable(broken_ssh)
    broken_ssh("ssh: connect to host 192.0.2.7 port 22: Connection refused")
    with pytest.raises(ConnectionFailed) as caught:
        run_playbook("any", [node])
    assert caught.value.fault is Fault.REFUSED


def test_a_playbook_that_ansible_cannot_read_is_told(books: Path, node: Node, ssh_log: Path) -> None:
    (books / "broken.yml").write_text("- hosts: all\n  nonsense: true\n")
    with pytest.raises(RemoteFailed, match="broken did not run"):
        run_playbook("broken", [node])


def gone(pid_file: Path) -> bool:
    """Whether the process that wrote its id into the file ends within a moment."""
    process = Path("/proc") / pid_file.read_text().strip()
    end = time.monotonic() + 10
    while process.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not process.exists()


def stay(folder: Path, tmp_path: Path) -> None:
    write(folder, "long", f"    - name: Stay\n      ansible.builtin.shell: echo $$ > {tmp_path}/on; exec sleep 300\n")


def test_leaving_stops_ansible_and_all_that_it_started(
    books: Path, node: Node, ssh_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay(books, tmp_path)
    join = threading.Thread.join
    interruptions = iter([KeyboardInterrupt])

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        join(thread, timeout)
        if (tmp_path / "on").exists() and (interruption := next(interruptions, None)):
            raise interruption

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_playbook("long", [node])
    assert gone(tmp_path / "on")
    assert not any(thread.name == "ansible" for thread in threading.enumerate())


def test_ansible_ends_with_a_chiops_that_is_killed(books: Path, node: Node, ssh_log: Path, tmp_path: Path) -> None:
    stay(books, tmp_path)
    chiops = multiprocessing.get_context("fork").Process(target=run_playbook, args=("long", [node]))
    chiops.start()
    try:
        wait_for("the task", (tmp_path / "on").exists, within=60)
    finally:
        chiops.kill()
        chiops.join()
    assert gone(tmp_path / "on")


def test_a_run_that_takes_too_long_is_stopped_with_all_that_it_started(
    books: Path, node: Node, ssh_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay(books, tmp_path)
    clock = time.monotonic
    monkeypatch.setattr("chiops.remote.ansible.time.monotonic", lambda: clock() + 100 * (tmp_path / "on").exists())
    with pytest.raises(RemoteFailed, match="did not end within 90 s"):
        run_playbook("long", [node], timeout_s=90)
    assert gone(tmp_path / "on")


def test_a_killed_ansible_is_no_success(
    books: Path, node: Node, ssh_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The task kills Ansible's main process: the parent of the worker that leads the task's session.
    leader = "$(awk '/^NSsid/ {print $2}' /proc/$$/status)"
    kill = f"kill -9 $(awk '/^PPid/ {{print $2}}' /proc/{leader}/status)"
    write(books, "kill", f"    - name: Kill\n      ansible.builtin.shell: {kill}\n")
    with pytest.raises(RemoteFailed, match="kill did not run"):
        run_playbook("kill", [node])


def test_no_nodes_are_no_work_and_unknown_playbooks_are_named() -> None:
    assert run_playbook("docker", []).changed == 0
    with pytest.raises(UsageError, match="mount_bucket"):
        run_playbook("dokcer", [])
