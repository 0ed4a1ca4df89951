"""Files of motion-capture systems."""
