"""OpenPose: every person in a picture, from part heatmaps and part affinity fields."""
