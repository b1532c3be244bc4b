"""How requests travel: with time limits, and with another try for those that only read.

keystoneauth's own retries would repeat a POST whose answer was late, and so make things twice; urllib3's know the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keystoneauth1.session import Session

CONNECT_S = 10.0
READ_S = 60.0
MOST_S = 30.0
"""Longest that a ``Retry-After`` is waited for; a service that is down for maintenance may say an hour."""
POOL = 32
_READS = frozenset({"GET", "HEAD"})
_PASSING = frozenset({429, 502, 503, 504})


def harden(session: Session) -> None:
    """Give a session its limits: seconds to connect and to answer, and retries for reads and refused connections."""
    from keystoneauth1.session import TCPKeepAliveAdapter
    from urllib3.util.retry import Retry

    class _Adapter(TCPKeepAliveAdapter):
        def send(self, request: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            return super().send(request, **(kwargs | {"timeout": (CONNECT_S, kwargs.get("timeout") or READ_S)}))

    class _Patient(Retry):
        def get_retry_after(self, response: Any) -> float | None:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, MOST_S)

    retry = _Patient(
        total=4,
        connect=2,  # nothing was sent yet, so this is safe for every method
        read=1,
        status=3,
        other=0,
        allowed_methods=_READS,
        status_forcelist=_PASSING,
        backoff_factor=0.4,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
    for scheme in ("http://", "https://"):
        session.session.mount(scheme, _Adapter(max_retries=retry, pool_connections=POOL, pool_maxsize=POOL))
