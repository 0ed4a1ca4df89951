"""OpenPose: all people of an image, from part heatmaps and part affinity fields."""
