"""Dicts put together, also where Bazel has no operator for it."""

def merged(*dicts):
    """All entries of some dicts.

    Args:
      *dicts: later ones win.

    Returns:
      A new dict.
    """
    result = {}
    for entries in dicts:
        result.update(entries)
    return result
