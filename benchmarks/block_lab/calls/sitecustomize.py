"""Counts a process's HTTP requests: each adds one line, its method, to the file that COUNT_CALLS_IN names.

Python imports this at its start where this folder is on PYTHONPATH. It sits below every client library (requests, urllib3,
httplib2), so that each program is counted alike and TLS hides nothing; retries and redirects count as the requests they are.
"""

import http.client
import os

_putrequest = http.client.HTTPConnection.putrequest


def _counted(self, method, *arguments, **options):  # type: ignore[no-untyped-def]
    # One short write to a file opened for appending: whole lines, whichever process or thread writes
    file = os.open(os.environ["COUNT_CALLS_IN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{method}\n".encode())
    finally:
        os.close(file)
    return _putrequest(self, method, *arguments, **options)


if "COUNT_CALLS_IN" in os.environ:
    http.client.HTTPConnection.putrequest = _counted
