"""What the services' refusals mean. They say it by status and by prose, so both are looked at.

The same fault wears different clothes: a used-up quota is 403 at Nova, 409 at Neutron and 413 at Cinder; no room is 500 at
Blazar; a volume's wrong state is 400. The patterns below are those of the services' own source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from chiops.cloud.values import BETWEEN
from chiops.errors import (
    Ambiguous,
    Auth,
    Capacity,
    ChiopsError,
    CloudError,
    Conflict,
    InvalidRequest,
    NotFound,
    Policy,
    Quota,
    Stuck,
    Timeout,
    Transient,
)

if TYPE_CHECKING:
    import requests

_UNRESTRICTED = (
    "sign in with your password or in Chameleon's Jupyter: this site neither makes S3 keys for an application credential, "
    "nor shows it any"
)
LEASE_TRUST = (
    "use an application credential that was made with 'unrestricted' ticked, or sign in with your password; "
    "some sites refuse leases to every application credential"
)
_NEW_CREDENTIAL = (
    "make a new one in the dashboard, with 'unrestricted' ticked, and put the clouds.yaml that it offers into "
    "~/.config/openstack; or sign in another way"
)
_BETWEEN = f"({'|'.join(BETWEEN)})"
_NO_ROOM = r"not enough|no valid host|no (host|resource)s? (is |are )?available"


class NoService(NotFound):
    """The catalogue has no such service; another thing than an answer that says 404."""


class _Sign(NamedTuple):
    """What gives a fault away: words, the statuses they come with (none: any), our class, what to do about it."""

    words: str
    statuses: frozenset[int]
    kind: type[CloudError]
    todo: str = ""


_ANY: frozenset[int] = frozenset()
_REFUSED = frozenset({400, 403, 409, 413})
_STATE = frozenset({400, 409})
_SIGNS = (
    _Sign(r"delegated tokens cannot access credentials", frozenset({403}), Auth, _UNRESTRICTED),
    _Sign(
        r"method 'application_credential' is not allowed|cannot manage trusts|create_trust|trust.*delegat",
        _ANY,
        Auth,
        LEASE_TRUST,
    ),
    _Sign(
        r"no more ip addresses|ipaddressgenerationfailure|externalipaddressexhausted",
        _ANY,
        Capacity,
        "release an address that is not needed, or try again later",
    ),
    _Sign(
        r"quota|maximum number of (volumes|ports|servers)|overlimit",
        _REFUSED,
        Quota,
        "delete what is not needed, or ask the project's lead for more",
    ),
    # Blazar's words for a property that no host has ever had
    _Sign(r"blazardbnotfound", frozenset({500}), NotFound, "ask for properties that the site's hosts have"),
    _Sign(_NO_ROOM, _ANY, Capacity, "ask for fewer or a smaller flavor, for a shorter time, or later"),
    _Sign(
        r"lease duration|max(imum)?[ _]lease|may only be (extended|updated)|prolong|allocation|externalservicefilter",
        _REFUSED,
        Policy,
        "ask for a shorter time, or extend the lease when it is nearer its end",
    ),
    _Sign(
        rf"(currently in|status is:?|in status) '?{_BETWEEN}|status:? '?{_BETWEEN}",
        _STATE,
        Stuck,
        Stuck.WAY_OUT,
    ),
    _Sign(r"multiple .*(found|match)|more than one .*(found|match)", _STATE, Ambiguous, "use the id instead"),
    _Sign(
        r"status must be|must be (available|in-use)|invalid volume|already attached|in use|cannot '.*' inst",
        _STATE,
        Conflict,
    ),
    _Sign(
        r"(image|flavor|network|security.group|key).*not (be )?found|can not find requested", frozenset({400}), NotFound
    ),
)
_STATUS: dict[int, tuple[type[CloudError], str]] = {
    400: (InvalidRequest, ""),
    401: (Auth, "sign in again: the credential has expired, was revoked or is wrong"),
    403: (Auth, "ask the project's lead for the role that this needs ('member' and 'reader' for all that chiops does)"),
    404: (NotFound, ""),
    408: (Transient, "try again"),
    409: (Conflict, ""),
    413: (Transient, "try again in a minute, the service limits how often it may be asked"),
    429: (Transient, "try again in a minute, the service limits how often it may be asked"),
    498: (Transient, "try again in a minute, the service limits how often it may be asked"),  # Swift's ratelimit
}


@contextmanager
def translated(doing: str, thing: str = "") -> Iterator[None]:
    """Turn what OpenStack's libraries raise in the body into our errors.

    Args:
        doing: the clause that says what was tried, "creating the volume x".
        thing: what a 404 says is missing, "volume x"; without it the service's words are used.
    """
    from keystoneauth1 import exceptions as ksa
    from openstack import exceptions as sdk

    try:
        yield
    except ChiopsError:
        raise
    except ksa.SSLError as error:
        raise CloudError(f"{doing} failed", why=f"the site's certificate was not accepted: {error}") from error
    except (ksa.ConnectTimeout, ksa.RequestTimeout) as error:
        raise Timeout(f"{doing}: the site did not answer in time", todo="run the command again") from error
    except (ksa.ConnectFailure, ksa.UnknownConnectionError, ksa.RetriableConnectionFailure) as error:
        raise Transient(f"{doing}: the site can't be reached", why=_short(str(error)), todo="try again") from error
    except (ksa.EndpointNotFound, ksa.EmptyCatalog, sdk.ServiceDisabledException) as error:
        raise NoService(f"{doing}: the site has no such service", why=_short(str(error))) from error
    except (ksa.HttpError, sdk.HttpException) as error:
        raise from_response(doing, getattr(error, "response", None), thing=thing, fallback=str(error)) from error
    except (ksa.MissingRequiredOptions, ksa.AuthorizationFailure, ksa.NoMatchingPlugin, sdk.ConfigException) as error:
        raise Auth(
            f"{doing}: the credentials are not complete",
            why=_short(str(error)),
            todo="check clouds.yaml or the OS_* variables",
        ) from error
    except (ksa.ClientException, sdk.SDKException) as error:
        raise CloudError(f"{doing} failed", why=_short(str(error))) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # What an answer that is not of the documented shape comes to, here and within the libraries; of no more use than a lost one
        raise Transient(f"{doing} failed", why="the site's answer can't be understood", todo="try again") from error


def from_response(doing: str, response: requests.Response | None, *, thing: str = "", fallback: str = "") -> CloudError:
    """Our error for a service's answer that refuses."""
    if response is None:
        return CloudError(f"{doing} failed", why=_short(fallback))
    return classify(doing, response.status_code, message(response) or _short(fallback), thing=thing)


def classify(doing: str, status: int, why: str, *, thing: str = "") -> CloudError:
    """Our error for a status and the service's words."""
    folded = why.lower()
    if status == 404 and "could not find application credential" in folded:
        # Keystone's answer to a sign-in, whatever the request was that needed one
        return Auth(f"{doing} failed: the application credential is not there any more", why=why, todo=_NEW_CREDENTIAL)
    if status == 404 and thing:
        return NotFound(f"there is no {thing}", why=why if "reachable" in why else "")
    for sign in _SIGNS:
        if (not sign.statuses or status in sign.statuses) and re.search(sign.words, folded):
            return sign.kind(f"{doing} failed", why=why, todo=sign.todo)
    if status in _STATUS:
        kind, todo = _STATUS[status]
        return kind(f"{doing} failed", why=why, todo=todo)
    if status >= 500:
        return Transient(f"{doing} failed for now", why=why or f"HTTP {status}", todo="try again in a minute")
    return InvalidRequest(f"{doing} failed", why=why or f"HTTP {status}")


def message(response: requests.Response) -> str:
    """The service's own words in an answer, whatever shape it gives them."""
    try:
        body: object = response.json()
    except ValueError:
        text = re.sub(r"<[^>]+>", " ", response.text or "")
        return _short(text) or (response.reason or "")
    return _short(_words(body)) or (response.reason or "")


def _words(body: object) -> str:
    """The first message in nested JSON: Nova wraps it in the fault's name, Blazar calls it error_message."""
    if isinstance(body, Mapping):
        for key in ("error_message", "message", "faultstring", "detail"):
            if isinstance(body.get(key), str) and body[key]:
                return str(body[key])
        return next((words for words in map(_words, body.values()) if words), "")
    return ""


def _short(text: str) -> str:
    """One line without request ids, at most 300 characters."""
    text = re.sub(r"\(Request-ID: [^)]*\)|\(HTTP \d+\)", "", " ".join(text.split()))
    return text.strip()[:300]
