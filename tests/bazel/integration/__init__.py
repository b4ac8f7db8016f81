"""Builds of copies of this repository: what holds for a build as a whole."""
