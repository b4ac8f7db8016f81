"""The caching token: 64 bits that name one compilation run.

The runtime keeps cached parameters while the token stays the same, and rejects 0
(docs/format/container.md). The vendor draws it at random; here it is a digest of all that
goes into the run, so equal runs give equal files and any change gives another token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .. import VERSION


def caching_token(sources: Iterable[bytes], fingerprint: str) -> int:
    """Token of a run over `sources` (model files, in priority order) and its options."""
    digest = hashlib.sha256(f"edgetpu-compiler {VERSION} {fingerprint}".encode())
    for source in sources:
        digest.update(hashlib.sha256(source).digest())
    return int.from_bytes(digest.digest()[:8], "little") or 1
