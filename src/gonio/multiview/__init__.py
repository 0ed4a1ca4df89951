"""2D joints of several cameras to 3D."""
