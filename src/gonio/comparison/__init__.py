"""A reference and estimates to errors and agreement."""
