"""The nouns: skeletons, sequences, cameras and clocks. Needs numpy only."""
