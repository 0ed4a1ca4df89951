"""Figures of agreement between people, with their intervals."""
