"""What S3 allows as a bucket's name (Amazon's rules, which Ceph RGW, Swift's S3 layer and SeaweedFS keep)."""

from __future__ import annotations

import re


def bucket_name_problem(name: str) -> str:
    """Why S3 would refuse ``name``, with a name that it would take; "" if it is fine."""
    rule = _broken_rule(name)
    if not rule:
        return ""
    near = suggest_bucket_name(name)
    return f"{name!r} is not a bucket name: {rule}; try {near!r}"


def suggest_bucket_name(name: str) -> str:
    """The nearest valid bucket name."""
    near = re.sub(r"[^a-z0-9.-]+", "-", name.lower())
    near = re.sub(r"[.-]*\.[.-]*", ".", near).strip("-.")[:63].strip("-.")
    near = near if len(near) >= 3 else f"bucket-{near}".strip("-.")
    return f"b-{near}" if re.fullmatch(r"\d+(\.\d+){3}", near) else near


def _broken_rule(name: str) -> str:
    if not 3 <= len(name) <= 63:
        return "it must have 3 to 63 characters"
    if re.search(r"[^a-z0-9.-]", name):
        return "only lower-case letters, digits, '-' and '.' are allowed"
    if not (name[0].isalnum() and name[-1].isalnum()):
        return "it must begin and end with a letter or digit"
    if ".." in name or ".-" in name or "-." in name:
        return "'.' may not stand beside '.' or '-'"
    if re.fullmatch(r"\d+(\.\d+){3}", name):
        return "it may not look like an IP address"
    return ""
