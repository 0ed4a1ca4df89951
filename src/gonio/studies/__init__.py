"""Many recordings, each measured once; tables and page."""
