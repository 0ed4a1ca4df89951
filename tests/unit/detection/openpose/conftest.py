"""`scenes` and `plain_association` beside the tests can be imported; bodies for the scenes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
