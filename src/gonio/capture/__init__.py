"""Several live cameras into one trial."""
