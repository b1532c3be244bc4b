"""Runs cells in a Jupyter kernel. Each line of stdin is a cell's source as JSON; each of stdout its outcome as JSON.

Started by the Python that has ipykernel; needs nothing of chiops.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from jupyter_client.manager import start_new_kernel

TIMEOUT_S = 900


def run(client: Any, source: str) -> dict[str, str]:
    """One cell: what it printed, and its exception if it raised one."""
    outcome = {"text": "", "error": ""}

    def output(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            outcome["text"] += message["content"]["text"]
        elif message["msg_type"] == "error":
            outcome["error"] = f"{message['content']['ename']}: {message['content']['evalue']}"

    client.execute_interactive(source, timeout=TIMEOUT_S, allow_stdin=False, output_hook=output)
    return outcome


def main() -> None:
    manager, client = start_new_kernel()
    try:
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(run(client, json.loads(line))), flush=True)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
