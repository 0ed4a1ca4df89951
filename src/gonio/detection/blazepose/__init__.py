"""BlazePose: the embedded default detector."""
