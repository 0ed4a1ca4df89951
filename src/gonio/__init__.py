"""gonio: human movement from ordinary cameras, measured by several methods side by side.

For research; not a medical device.
"""

__version__ = "0.1.0"
