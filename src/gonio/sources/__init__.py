"""Files and devices to nouns, and back."""
