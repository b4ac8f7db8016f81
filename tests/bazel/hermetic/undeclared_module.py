"""A module beside the probe that no target declares."""
