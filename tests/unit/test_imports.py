"""Importing gonio, and asking for help, loads nothing heavy."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gonio

HEAVY = ("scipy", "av", "cv2", "matplotlib", "ai_edge_litert", "plotly", "torch")

HELP = "import sys; sys.argv = {}\nfrom gonio.cli import main\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    "program",
    [
        "import gonio",
        HELP.format(["gonio", "--help"]),
        HELP.format(["gonio", "compare", "--help"]),
    ],
    ids=["import", "help", "compare-help"],
)
def test_nothing_heavy_is_loaded(program):
    code = f"{program}\nimport sys\nprint('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("LOADED []")
    assert done.stderr == ""


def test_detecting_loads_neither_figures_nor_statistics():
    program = "import gonio.trials.one_video"
    program += ", gonio.detection.openpose.detector, gonio.detection.blazepose.detector"
    code = f"{program}\nimport sys\nprint('LOADED', [m for m in ('matplotlib', 'scipy', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "LOADED []"


def test_the_options_of_a_training_are_shown_without_torch():
    code = f"{HELP.format(['gonio', 'train', '--help'])}\nprint('LOADED', 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "--training.epochs" in done.stdout
    assert done.stdout.strip().endswith("LOADED False")


def test_public_functions_take_paths_as_text_too():
    import gonio

    for name in gonio.__all__:
        function = getattr(gonio, name)
        for parameter in inspect.signature(function).parameters.values() if inspect.isfunction(function) else ():
            annotation = str(parameter.annotation)
            assert "Path" not in annotation or "str" in annotation, (name, parameter)


def test_public_names_are_declared_once():
    """For type checkers, for the loader and for `from gonio import *`."""
    import gonio
    from gonio import _HOMES

    source = Path(gonio.__file__).read_text(encoding="utf-8")
    block = source[source.index("if TYPE_CHECKING:") : source.index("_HOMES = {")]
    imported = set()
    for names in re.findall(r"from \S+ import (.*)", block):
        imported |= {name.rpartition(" as ")[2] for name in names.split(", ")}
    assert imported == set(_HOMES) == set(gonio.__all__)


def test_every_public_name_exists():
    import gonio

    for name in gonio.__all__:
        assert getattr(gonio, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = gonio.no_such_name


def test_modules_and_functions_stay_short():
    """A reader takes in a function on one screen, a module in one sitting: at most 80 and 550 lines."""
    root = Path(gonio.__file__).parent
    long = []
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        long += [path.name] if len(text.splitlines()) > 550 else []
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 80:
                long.append(f"{path.name}: {node.name}")
    assert long == []
