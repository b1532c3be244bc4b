"""EC2 credentials, the keys to S3: reused, made, exchanged, revoked. A secret leaves here only as what `export` renders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chiops.cloud.base import Ec2Credential, Mark
from chiops.errors import Ambiguous, CloudError, NotFound, UsageError
from chiops.names import nearest
from chiops.ops import export
from chiops.ops.desk import NO_LAB, Confirm, Desk
from chiops.ops.export import ExportFormat
from chiops.resources.credential import CredentialKind

NOUN = "EC2 credential"
SHORTEST_PREFIX = 4
_EPOCH = datetime.fromtimestamp(0, UTC)


def find(desk: Desk, known: Sequence[Ec2Credential], word: str) -> Ec2Credential:
    """The credential of that access key, or of the only one that begins so.

    Raises:
        NotFound, Ambiguous: none, or several.
    """
    found = [one for one in known if one.access == word]
    if not found and len(word) >= SHORTEST_PREFIX:
        found = [one for one in known if one.access.startswith(word)]
    if len(found) > 1:
        raise Ambiguous(
            f"{len(found)} EC2 credentials at {desk.site} begin with {word!r}",
            todo=f"use one of: {', '.join(one.access for one in found)}",
        )
    if found:
        return found[0]
    near = nearest(word, [one.access for one in known])
    raise NotFound(
        f"there is no EC2 credential {word!r} at {desk.site}",
        todo=f"did you mean {near}?" if near else "see `chiops creds list`",
    )


def choose(desk: Desk, word: str | None) -> Ec2Credential:
    """The credential named, or the newest of ours that belongs to the desk's lab or to none.

    Raises:
        NotFound: there is none yet.
    """
    known = desk.cloud.identity.ec2_credentials()
    if word:
        return find(desk, known, word)
    ours = _marked(known, desk.mark)
    if not ours:
        raise NotFound(f"you have no EC2 credential at {desk.site} yet", todo="make one with `chiops creds create`")
    return ours[-1]


def create(desk: Desk, *, another: bool = False) -> tuple[Ec2Credential, bool]:
    """A credential of ours; the one there is, unless ``another`` is wanted.

    Returns:
        The credential, and whether it is new.

    Raises:
        Auth: the sign-in may not make any.
    """
    ours = _marked(desk.cloud.identity.ec2_credentials(), desk.mark)
    if ours and not another:
        return ours[-1], False
    return _make(desk, desk.mark), True


def _make(desk: Desk, mark: Mark) -> Ec2Credential:
    with desk.change("create", NOUN, "", mark) as (task, entry):
        made = desk.cloud.identity.create_ec2_credential(mark=mark)
        entry.resource = made.access
        task.finish(made.access)
    return made


def revoke(desk: Desk, word: str, confirm: Confirm) -> Ec2Credential:
    """Have a credential of ours open nothing any more.

    Raises:
        NotOurs: it is not ours.
    """
    found = desk.own(find(desk, desk.cloud.identity.ec2_credentials(), word), NOUN, word)
    user = f" Your lab {found.mark.lab} uses it." if found.mark and found.mark.lab != NO_LAB else ""
    confirm(f"Revoke {found.access}?{user} Whatever uses it is refused {refused_from(desk)}.")
    _take(desk, found)
    return found


def refused_from(desk: Desk) -> str:
    """From when on a revoked key opens nothing, as the end of a sentence; the gateway's memory is no fault of ours to hide."""
    try:
        ceph = desk.cloud.objects.endpoint().provider == "Ceph"
    except CloudError:
        ceph = False
    return "after about five minutes, for which Ceph's gateway remembers keys" if ceph else "from then on"


@dataclass(frozen=True)
class Rotated:
    """A new credential, and those that it stands in for."""

    new: Ec2Credential
    revoked: tuple[Ec2Credential, ...]

    @property
    def lab(self) -> str:
        """The lab whose nodes hold the old one; "" for none."""
        lab = self.new.mark.lab if self.new.mark else NO_LAB
        return "" if lab == NO_LAB else lab


def rotate(desk: Desk, word: str | None, confirm: Confirm) -> Rotated:
    """Make a new credential, then revoke the one named, or all that the desk's lab (or no lab) has.

    Without a name it comes right after any interruption: what an earlier try left is revoked too.

    Raises:
        NotOurs, NotFound: it is not ours; there is none.
    """
    known = desk.cloud.identity.ec2_credentials()
    old = [desk.own(find(desk, known, word), NOUN, word)] if word else _marked(known, desk.mark)
    if not old:
        raise NotFound(f"you have no EC2 credential at {desk.site} yet", todo="make one with `chiops creds create`")
    confirm(f"Make a new key and revoke {', '.join(one.access for one in old)}?")
    new = _make(desk, old[0].mark or desk.mark)
    for one in old:
        _take(desk, one)
    return Rotated(new, tuple(old))


def _take(desk: Desk, credential: Ec2Credential) -> None:
    with desk.change("revoke", NOUN, credential.access, credential.mark) as (_, entry):
        entry.resource = credential.access
        CredentialKind().take(credential, desk.bench(desk.look()))


def export_text(desk: Desk, credential: Ec2Credential, format_: ExportFormat, name: str) -> str:
    """The key with its secret, as a program reads it."""
    return export.render(format_, credential, desk.cloud.objects.endpoint(), export.check_name(name))


def export_file(path: Path, text: str, format_: ExportFormat, confirm: Confirm) -> None:
    """Write the key into a file, 0600; other sections of a configuration file stay.

    Raises:
        UsageError: the file can't be read or written.
        Declined: it holds other things that would be lost, and the person said no.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", todo="name a file in it")
    before = export.read(path)
    if format_ is ExportFormat.ENV:
        if before and before != text:
            confirm(f"Replace the content of {path}?")
        export.write_private(path, text)
    else:
        export.write_private(path, export.merge(before, text))


def _marked(known: Iterable[Ec2Credential], mark: Mark) -> list[Ec2Credential]:
    """Those of one lab of ours, oldest first."""
    return sorted((one for one in known if one.mark == mark), key=lambda one: one.created or _EPOCH)
