"""One recording of one movement: from its file to its results folder."""
