"""The command line itself: help at any width, one line for what is refused, options named like the functions'."""

from __future__ import annotations

import inspect
import re

import pytest

import gonio
from gonio.cli.main import COMMANDS, main
from gonio.core.provenance import VERSION

FUNCTIONS = {
    "compare": gonio.compare,
    "study": gonio.study,
    "record": gonio.record,
    "detect": gonio.detect,
    "triangulate": gonio.triangulate,
    "lift": gonio.lift,
    "render": gonio.render,
    "rectify": gonio.rectify,
    "evaluate": gonio.evaluate_lifting,
    "evaluate-2d": gonio.evaluate_2d,
    "convert": gonio.convert,
}
NAMES = [command.name for command in COMMANDS]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command line; returns its exit status, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gonio", *words])
        try:
            main()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_version(run):
    assert run("--version") == (0, f"gonio {VERSION}\n", "")


def test_help_names_every_command(run):
    status, shown, _ = run("--help")
    assert status == 0
    assert [name for name in NAMES if not re.search(rf"^  {name}\b", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("columns", ["1", "0", "-5", "40", "80", "10000", "wide", ""])
@pytest.mark.parametrize("command", ["compare", "train"])
def test_help_at_any_width(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", columns)
    status, shown, errors = run(command, "--help")
    assert status == 0
    assert errors == ""
    assert 50 < shown.count("\n") < 500


@pytest.mark.parametrize("command", NAMES)
def test_help_at_80_columns(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    _, narrow, _ = run(command, "--help")
    monkeypatch.setenv("COLUMNS", "120")
    _, wide, _ = run(command, "--help")
    assert max(map(len, narrow.splitlines())) <= 80
    assert narrow.split() == wide.split()  # no word is broken
    assert "None" not in narrow


@pytest.mark.parametrize("command", [name for name in NAMES if name not in ("demo", "assets")])
def test_options_are_in_groups(run, command):
    groups = re.findall(r"^(\S.*):$", run(command, "--help")[1], re.MULTILINE)
    assert {"input", "output"} <= {*groups, "input"}
    assert len(groups) >= 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lfit"], "lift"),
        (["xyzzy"], "compare"),
        ([], "--help"),
        (["lift", "a.npz", "--hieght", "1.7", "-o", "b.npz"], "--height"),
        (["lift", "a.npz", "--ouput", "b.npz"], "--output"),
        (["lift", "a.npz", "--xyzzy", "b.npz"], "--help"),
        (["lift", "a.npz"], "--output"),
        (["lift", "-o", "b.npz"], "KEYPOINTS"),
        (["lift", "a.npz", "c.npz", "-o", "b.npz"], "c.npz"),
        (["lift", "a.npz", "--size", "3", "-o", "b.npz"], "--size"),
        (["lift", "a.npz", "--place", "moon", "-o", "b.npz"], "geometry"),
        (["detect", "a.mp4", "--people", "two", "-o", "b.npz"], "'two'"),
        (["--verbose"], "--verbose"),
        (["train", "train.toml", "-o", "run"], "train.toml"),
        (["study"], "--ui-prmd"),
    ],
)
def test_a_refused_line_is_answered_by_one(run, monkeypatch, tmp_path, words, expected):
    monkeypatch.chdir(tmp_path)
    status, out, errors = run(*words)
    assert (status, out, errors.count("\n")) == (2, "", 1)
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_underscores_are_taken_for_hyphens():
    (command,) = (command for command in COMMANDS if command.name == "lift")
    options = command.parser().options_of(["a.npz", "--min_confidence=0.3", "-o", "b.npz"])
    assert options["min_confidence"] == 0.3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_command_and_its_function_have_the_same_options(name):
    (command,) = (command for command in COMMANDS if command.name == name)
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    named = {parameter for parameter, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    options = {action.dest for action in command.parser()._actions} - {"help"}
    python_only = {"progress", "on_written", "on_tick", "on_event", "stop", "images" if name == "record" else ""}
    renamed = {"study": {"config": "file"}, "record": {"live": "live"}}.get(name, {})
    assert {renamed.get(parameter, parameter) for parameter in named - python_only} <= options
    detector = set() if "detector" not in options else detector_options(command)
    assert options - detector - {"live"} <= {renamed.get(parameter, parameter) for parameter in named}


def detector_options(command):
    shown = next(group for group in command.parser()._action_groups if group.title == "detector")
    return {action.dest for action in shown._group_actions} - {"detector"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_defaults_in_the_help_are_those_of_the_function(name):
    (command,) = (command for command in COMMANDS if command.name == name)
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    for action in command.parser()._actions:
        stated = re.search(r"\(default: ([\w.-]+)\)", action.help or "")
        if stated is None or action.dest not in parameters:
            continue
        default = parameters[action.dest].default
        if isinstance(default, bool):
            assert stated[1] == {True: "yes", False: "no"}[default]
        elif isinstance(default, int | float):
            assert float(stated[1]) == default
        elif isinstance(default, str):
            assert stated[1] == default
