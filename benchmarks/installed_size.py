"""What a fresh installation takes on disk: `pip install .` into an empty virtual environment, in megabytes.

    python benchmarks/installed_size.py

Prints the total (without pip itself), and the largest packages. Nothing is kept.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def size_mb(folder: Path) -> float:
    """Size of all files below a folder, in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def main() -> None:
    project = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", project], check=True)
        (packages,) = Path(folder).glob("lib/python*/site-packages")
        sizes = {path.name: size_mb(path) for path in packages.iterdir() if path.is_dir()}
        sizes = {name: size for name, size in sizes.items() if not name.startswith(("pip", "setuptools"))}
        print(f"installed size: {sum(sizes.values()):.0f} MB (Python {sys.version.split()[0]}, {sys.platform})")
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
            print(f"  {size:6.1f} MB  {name}")


if __name__ == "__main__":
    main()
