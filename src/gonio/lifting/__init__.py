"""2D joints of one camera over time to 3D joints, by temporal convolutions."""
