"""3D joints to clinical quantities."""
