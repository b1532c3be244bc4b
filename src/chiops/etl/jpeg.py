"""What a sample is: one JPEG, whole, and the digest that stands for it."""

from __future__ import annotations

import hashlib
import io

_START = b"\xff\xd8\xff"
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
    """Why ``data`` is not a JPEG that a pipeline can decode; empty if it is.

    It is decoded to an eighth of its size, which reads all of it in about a sixth of the time and fails where the pipelines'
    decoding would. What no decoder notices, such as a few other bytes within the picture, is not found.
    """
    if not data:
        return "it is empty"
    if not data.startswith(_START):
        return "it is no JPEG"
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft(None, (1, 1))
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"it is truncated ({error})" if "truncated" in str(error) else f"it does not decode ({error})"
    return ""
