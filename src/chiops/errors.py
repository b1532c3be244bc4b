"""Every failure chiops knows by name.

An error says *what* happened, *why* as far as known, and *what to do* next. The command line prints exactly that as one
sentence or two and exits with ``exit_code``; the traceback goes to the log file. Code raises the most specific class it can,
so that callers can tell "look again" (`NotFound`) from "try again" (`Transient`) from "tell the person" (the rest).
"""

from __future__ import annotations


class ChiopsError(Exception):
    """Base of all expected failures.

    Args:
        what: what happened, one clause without a full stop.
        why: the cause as reported by the service, if any.
        todo: what the person can do about it, imperative.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", todo: str = "") -> None:
        self.what = what.rstrip(". ")
        self.why = why.strip().rstrip(".")
        self.todo = todo.strip().rstrip(".")
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole message as a person reads it: what, why, what to do."""
        clauses = [f"{self.what}: {self.why}" if self.why else self.what]
        if self.todo:
            clauses.append(self.todo[0].upper() + self.todo[1:])
        return " ".join(clause if clause.endswith(("?", "!")) else f"{clause}." for clause in clauses)


class UsageError(ChiopsError):
    """The command or its input is wrong; nothing was done."""

    exit_code = 2


class LabFileError(UsageError):
    """A lab file does not fit the schema; the message carries file, line and key."""


class Declined(ChiopsError):
    """The person said no at a prompt, or no prompt was possible and ``--yes`` was not given."""

    exit_code = 3


class Interrupted(ChiopsError):
    """The person pressed Ctrl-C; ``todo`` says which command goes on."""

    exit_code = 130


class PrerequisiteMissing(ChiopsError):
    """Something this machine needs is not there and chiops may not install it."""


class CloudError(ChiopsError):
    """A cloud's service refused or failed."""


class NotFound(CloudError):
    """No such resource."""


class Ambiguous(CloudError):
    """Several resources bear the name."""


class NotOurs(CloudError):
    """The resource does not carry our mark, so it is neither changed nor deleted."""


class Conflict(CloudError):
    """The resource's state forbids the request now: in use, not empty, name taken."""


class Stuck(Conflict):
    """The resource hangs between two states, `reserved` for example, and does not come out by itself."""

    WAY_OUT = (
        "wait a minute and try again; if it stays, remove the leftover with `openstack volume attachment list` and "
        "`... delete`, or ask the site's help desk"
    )


class InvalidRequest(CloudError):
    """The service would never accept this request as it stands."""


class Quota(CloudError):
    """The project's quota is used up."""


class Capacity(CloudError):
    """The cloud has no room: no host, no address, no disk space."""


class Policy(CloudError):
    """A rule of the site forbids it: lease length, extension window."""


class Auth(CloudError):
    """Not signed in, expired, revoked, or not allowed."""


class NoCredentials(Auth):
    """The person has no credentials for the site at all."""


class Transient(CloudError):
    """A passing failure; the same read may be tried again."""


class Timeout(CloudError):
    """It did not happen in the time given; it may still happen."""


class ResourceFailed(CloudError):
    """The cloud made the resource and reports it as failed; ``why`` carries its fault."""


class RemoteFailed(ChiopsError):
    """A command, playbook or container on a node failed."""


class DataError(ChiopsError):
    """A dataset, bucket content or result is not what it should be."""
