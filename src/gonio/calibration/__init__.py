"""Cameras, rigs and clocks: rectification of a nearly parallel pair."""
