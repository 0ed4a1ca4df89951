"""Recordings of Kinect sensors, in every layout that programs write."""
