"""2D joints from several cameras to 3D."""
