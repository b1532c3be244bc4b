"""Whether a request was signed by who has the secret: AWS Signature Version 4, as its specification has it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access>[^/]+)/(?P<scope>[^,]+), ?SignedHeaders=(?P<names>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]+)"
)


def refusal(
    method: str, target: str, headers: Mapping[str, str], body: bytes, secret_of: Callable[[str], str | None]
) -> str:
    """The S3 error code for a request that is not rightly signed; "" for one that is."""
    match = _HEADER.fullmatch(headers.get("Authorization", ""))
    if match is None:
        return "AccessDenied"
    secret = secret_of(match["access"])
    if secret is None:
        return "InvalidAccessKeyId"
    told = headers.get("x-amz-content-sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", told) and hashlib.sha256(body).hexdigest() != told:
        return "XAmzContentSHA256Mismatch"
    url = urlsplit(target)
    names = match["names"].split(";")
    canonical = "\n".join(
        [
            method,
            url.path,
            "&".join(sorted(pair if "=" in pair else f"{pair}=" for pair in url.query.split("&") if pair)),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            match["names"],
            told,
        ]
    )
    day, region, service, end = match["scope"].split("/")
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            headers.get("x-amz-date", ""),
            match["scope"],
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for word in (day, region, service, end, text):
        key = hmac.digest(key, word.encode(), "sha256")
    return "" if hmac.compare_digest(key.hex(), match["signature"]) else "SignatureDoesNotMatch"
