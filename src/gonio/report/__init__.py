"""Results to things to look at."""
