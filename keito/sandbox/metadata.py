"""Metadata of entries and expenses: any JSON object, merged by PATCH, at most 4 KB."""

from __future__ import annotations

import json
from typing import Any, Optional

from keito.sandbox.choices import METADATA_MAX_BYTES
from keito.sandbox.errors import bad_request


def dump(metadata: Optional[dict[str, Any]]) -> Optional[str]:
    """The text that is stored.

    Raises:
        ApiError: 400 when it is longer than the API stores.
    """
    if metadata is None:
        return None
    text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > METADATA_MAX_BYTES:
        raise bad_request(f"metadata exceeds {METADATA_MAX_BYTES} bytes")
    return text


def load(text: Optional[str]) -> Optional[dict[str, Any]]:
    """The object that was stored."""
    return None if text is None else json.loads(text)


def merge(stored: Optional[str], patch: Optional[dict[str, Any]]) -> Optional[str]:
    """New keys are merged into the stored ones; null clears all."""
    if patch is None:
        return None
    return dump({**(load(stored) or {}), **patch})
