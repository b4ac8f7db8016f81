"""The vendor releases whose output this compiler can write (`--emulate_release`).

Source of the facts: docs/format/releases.md. Every difference between releases is a field
here; no stage asks for a release by name.
"""

from __future__ import annotations

from .fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """What one vendor release wrote.

    name: the release, as on the command line.
    default_runtime: Package.min_runtime_version without `-m`.
    folded_addresses: 64-bit address additions of zero are written as moves (style A);
        otherwise add-with-carry is written out (style B).
    caching_style: style letter of the PARAMETER_CACHING program.
    small_sort: libc++ std::sort's small-sort limit that decides the order of equal layers.
    """

    name: str
    default_runtime: int
    folded_addresses: bool
    caching_style: str
    small_sort: int = 30


RELEASE_16 = Release("16.0", 14, folded_addresses=True, caching_style="A")
RELEASE_15 = Release("15.0", 13, folded_addresses=False, caching_style="B")
RELEASES = {release.name: release for release in (RELEASE_16, RELEASE_15)}
RUNTIME_VERSIONS = (10, 11, 12, 13, 14)
