"""What a sample is: one JPEG, whole, and the digest that stands for it."""

from __future__ import annotations

import hashlib
import io

_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_ENDINGS = (".jpg", ".jpeg")


def is_named_jpeg(name: str) -> bool:
    """Whether the name of a file says that it is one, in upper or lower case."""
    return name.lower().endswith(_ENDINGS)


def sample_digest(jpeg: bytes, label: int) -> int:
    """What stands for one sample: SHA-256 of the label's bytes (one, or as many more as it needs) and the encoded image."""
    hashed = hashlib.sha256(label.to_bytes(max(1, (label.bit_length() + 7) // 8), "big"))
    hashed.update(jpeg)
    return int.from_bytes(hashed.digest(), "big")


def jpeg_fault(data: bytes) -> str:
    """Why ``data`` is not a whole JPEG; empty if it is.

    An image that ends with the end marker is taken as whole; one with something behind it is decoded to see.
    """
    if not data:
        return "it is empty"
    if not data.startswith(_START):
        return "it is no JPEG"
    if data.rstrip(b"\0\r\n").endswith(_END):
        return ""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError) as error:
        return f"it is truncated ({error})"
    return ""
