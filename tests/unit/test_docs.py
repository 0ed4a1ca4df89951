"""What the docs show works: trial files parse, names exist, commands have the options shown, links lead somewhere."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import gonio
from gonio.cli.main import COMMANDS, main
from gonio.studies.config import parse_study
from gonio.training.config import parse_training
from gonio.trials.config import parse_trial

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
CAMERA = '\n[[cameras]]\nname = "other"\nvideo = "other.mp4"\n'


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [(page.name, block) for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]
    return found


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_toml_files_parse(page, block):
    if page == "training.md":
        assert parse_training(block, ROOT, page).files
        return
    if page == "study.md":
        assert parse_study(block, ROOT, page).methods
        return
    text = block if "[[cameras]]" in block else block + CAMERA
    assert parse_trial(text, ROOT, page).cameras


def test_python_names_exist():
    names = set()
    for page, block in blocks("python"):
        compile(block, page, "exec")
        names |= set(re.findall(r"\bgonio\.(\w+)", block))
    assert names >= {"measure", "compare", "joint_angles", "write"}
    for name in names - {"sources", "core"}:
        assert hasattr(gonio, name)


ENTRY_POINTS = {"gonio.detectors", "gonio.formats", "gonio.angles", "gonio.skeletons"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_dotted_names_exist(page):
    """Modules, functions and constants that a page names by their whole path."""
    found = re.findall(r"`(?:from |import )?(gonio\.\w+(?:\.\w+)*)", page.read_text(encoding="utf-8"))
    for name in set(found) - ENTRY_POINTS:
        assert resolved(name) is not None


def resolved(name: str) -> object:
    """What stands behind a dotted name; its modules are imported."""
    known: object = gonio
    for end in range(2, len(name.split(".")) + 1):
        *parents, last = name.split(".")[:end]
        if not hasattr(known, last):
            importlib.import_module(".".join([*parents, last]))
        known = getattr(known, last)
    return known


def test_every_public_name_is_on_the_page_about_python():
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    assert [name for name in gonio.__all__ if not re.search(rf"`(?:gonio\.)?{name}\b", page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_on_every_page_are_known(page):
    """Of command lines in full; those of `train` depend on its file."""
    text = page.read_text(encoding="utf-8")
    lines = [line.partition("#")[0] for line in text.splitlines() if line.startswith("    gonio ")]
    lines += [line for line in re.findall(r"`(gonio [a-z][^`]*)`", text) if "…" not in line]
    for line in lines:
        name, *words = shlex.split(line)[1:]
        (command,) = (command for command in COMMANDS if command.name == name)
        known = {option for action in command.parser()._actions for option in action.option_strings}
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert name == "train" or options <= known, line


def test_python_is_well_typed(tmp_path):
    """Every block of Python in README.md and docs/ passes mypy --strict."""
    code = tmp_path / "in_the_docs.py"
    code.write_text("\n\n".join(block for _, block in blocks("python")), encoding="utf-8")
    program = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--strict", code]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def commands() -> list[str]:
    """Every command line of the README, the tutorial, docs/training.md and docs/coming-from.md that works on files."""
    lines = [
        line.partition("#")[0].strip()
        for page in ("README.md", "docs/tutorial.md", "docs/training.md")
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("    gonio ")
    ]
    lines += re.findall(r"`(gonio [^`]+)`", (ROOT / "docs/coming-from.md").read_text(encoding="utf-8"))
    return sorted({line for line in lines if "--help" not in line} - {"gonio demo", "gonio assets fetch"})


def test_there_are_commands():
    assert len(commands()) >= 6


@pytest.mark.parametrize("line", commands())
def test_commands_are_understood(line, monkeypatch, capsys, tmp_path):
    """In an empty folder each one is understood, and misses its first file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", shlex.split(line))
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert re.match(r"gonio: \S+: no such ", capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
