"""Images to 2D joints."""
