"""Networks against labelled data: training, and evaluation of lifters and detectors."""
