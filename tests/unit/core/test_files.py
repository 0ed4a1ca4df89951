"""Writing without leaving half a file: the target is whole or as it was, and nothing else is left beside it."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import gonio
from gonio.core.errors import InputError
from gonio.core.files import check_writable, makes_a_file_name, replacing, write_csv, write_json


def tree(folder: Path) -> dict[str, str | None]:
    """Every path below `folder` and its text; None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


class TestFile:
    def test_a_new_file_appears_with_its_folders(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "a" / "b" / "joints.csv") as temporary:
            temporary.write_text("1\n", encoding="utf-8")
        assert tree(tmp_path) == {"a": None, "a/b": None, "a/b/joints.csv": "1\n"}

    def test_the_old_file_stays_until_the_new_one_is_complete(self, tmp_path: Path) -> None:
        target = tmp_path / "joints.csv"
        target.write_text("old", encoding="utf-8")
        with replacing(target) as temporary:
            temporary.write_text("new", encoding="utf-8")
            assert target.read_text(encoding="utf-8") == "old"
        assert tree(tmp_path) == {"joints.csv": "new"}

    def test_temporary_has_the_name_of_the_target_in_the_same_folder(self, tmp_path: Path) -> None:
        """Some writers take the format from the suffix, and a rename is atomic on one file system only."""
        with replacing(tmp_path / "overlay.mp4") as temporary:
            assert temporary.name == "overlay.mp4"
            assert temporary.parent.parent == tmp_path
            assert not temporary.exists()
            temporary.touch()

    def test_the_file_has_ordinary_permissions(self, tmp_path: Path) -> None:
        """Not those of a temporary folder, which other users cannot read."""
        (tmp_path / "plain").touch()
        with replacing(tmp_path / "made") as temporary:
            temporary.touch()
        assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_a_string_will_do(self, tmp_path: Path) -> None:
        with replacing(str(tmp_path / "x.txt")) as temporary:  # type: ignore[arg-type]
            temporary.write_text("x", encoding="utf-8")
        assert tree(tmp_path) == {"x.txt": "x"}

    def test_a_link_is_replaced_and_what_it_points_to_stays(self, tmp_path: Path) -> None:
        (tmp_path / "recording.csv").write_text("recorded", encoding="utf-8")
        (tmp_path / "link.csv").symlink_to(tmp_path / "recording.csv")
        with replacing(tmp_path / "link.csv") as temporary:
            temporary.write_text("new", encoding="utf-8")
        assert tree(tmp_path) == {"link.csv": "new", "recording.csv": "recorded"}
        assert not (tmp_path / "link.csv").is_symlink()

    def test_one_inside_another(self, tmp_path: Path) -> None:
        """The report writes its tables while the page itself is still being written."""
        with replacing(tmp_path / "page") as outer:
            outer.write_text("page", encoding="utf-8")
            with replacing(tmp_path / "table") as inner:
                inner.write_text("table", encoding="utf-8")
        assert tree(tmp_path) == {"page": "page", "table": "table"}


class TestFolder:
    def test_a_new_folder_appears(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "json") as temporary:
            temporary.mkdir()
            (temporary / "0.json").write_text("{}", encoding="utf-8")
        assert tree(tmp_path) == {"json": None, "json/0.json": "{}"}

    @pytest.mark.parametrize("name", ["json", "previous", "json.previous", "new", "..."])
    @pytest.mark.parametrize("content", [["1.json"], []])
    def test_an_old_folder_goes_with_all_that_was_in_it(self, tmp_path: Path, name: str, content: list[str]) -> None:
        """Frames of an earlier, longer recording must not survive among those of the new one. Any name will do."""
        (tmp_path / name).mkdir()
        (tmp_path / name / "9.json").touch()
        with replacing(tmp_path / name) as temporary:
            temporary.mkdir()
            for file in content:
                (temporary / file).touch()
        assert tree(tmp_path) == {name: None} | {f"{name}/{file}": "" for file in content}

    def test_a_folder_does_not_replace_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "json").write_text("a file", encoding="utf-8")
        with pytest.raises(InputError, match="json"), replacing(tmp_path / "json") as temporary:
            temporary.mkdir()
        assert tree(tmp_path) == {"json": "a file"}

    def test_a_file_does_not_replace_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "kept").touch()
        with pytest.raises(InputError, match="out"), replacing(tmp_path / "out") as temporary:
            temporary.touch()
        assert tree(tmp_path) == {"out": None, "out/kept": ""}

    def test_the_old_folder_comes_back_where_the_last_step_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "json"
        target.mkdir()
        (target / "old.json").touch()
        rename = Path.rename

        def failing(self: Path, to: Path) -> Path:
            if Path(to) == target and (self / "new.json").exists():
                raise OSError(28, "No space left on device")
            return rename(self, to)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(InputError, match="space"), replacing(target) as temporary:
            temporary.mkdir()
            (temporary / "new.json").touch()
        assert tree(tmp_path) == {"json": None, "json/old.json": ""}


class TestFailure:
    @pytest.mark.parametrize("error", [ValueError("no"), OSError(28, "No space left"), KeyboardInterrupt()])
    @pytest.mark.parametrize("existed", [False, True])
    def test_an_error_passes_through_and_leaves_nothing(
        self, tmp_path: Path, error: BaseException, existed: bool
    ) -> None:
        if existed:
            (tmp_path / "joints.csv").write_text("old", encoding="utf-8")
        before = tree(tmp_path)
        with pytest.raises(type(error)) as caught, replacing(tmp_path / "joints.csv") as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise error
        assert caught.value is error
        assert tree(tmp_path) == before

    def test_an_error_removes_half_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="half"), replacing(tmp_path / "json") as temporary:
            (temporary / "deep" / "er").mkdir(parents=True)
            (temporary / "deep" / "0.json").touch()
            raise ValueError("half")
        assert tree(tmp_path) == {}

    def test_a_writer_that_wrote_nothing_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "joints.csv").write_text("old", encoding="utf-8")
        with pytest.raises(InputError, match=r"joints\.csv"), replacing(tmp_path / "joints.csv"):
            pass
        assert tree(tmp_path) == {"joints.csv": "old"}

    def test_a_file_in_place_of_a_parent_folder(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("a file", encoding="utf-8")
        for target in (tmp_path / "taken" / "x.csv", tmp_path / "taken" / "deeper" / "x.csv"):
            with pytest.raises(InputError, match=r"x\.csv.*-o") as e:
                replacing(target).__enter__()
            assert "\n" not in str(e.value)
        assert tree(tmp_path) == {"taken": "a file"}

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="an administrator may write everywhere")
    def test_a_folder_that_may_not_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(InputError, match="-o"):
                replacing(tmp_path / "x.csv").__enter__()
        finally:
            tmp_path.chmod(0o700)

    def test_a_name_too_long_for_the_file_system(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="-o"):
            replacing(tmp_path / ("x" * 255)).__enter__()
        assert tree(tmp_path) == {}

    @pytest.mark.parametrize("name", [".", "..", "a/.."])
    def test_a_path_without_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """`-o .` must neither replace the folder the user stands in nor write into the one above."""
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        with pytest.raises(InputError, match="-o"):
            replacing(Path(name)).__enter__()
        assert tree(tmp_path) == {"a": None}


class TestCheckWritable:
    def test_a_new_file_in_new_folders_is_fine_and_nothing_is_made(self, tmp_path: Path) -> None:
        check_writable(tmp_path / "a" / "b" / "joints.csv", [tmp_path / "video.mp4"])
        assert tree(tmp_path) == {}

    def test_a_relative_target_is_looked_for_where_the_user_stands(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        check_writable(Path("joints.csv"), [])
        (tmp_path / "taken").touch()
        with pytest.raises(InputError, match="-o"):
            check_writable(Path("taken/joints.csv"), [])

    def test_an_old_result_may_be_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "joints.csv").touch()
        (tmp_path / "video.mp4").touch()
        check_writable(tmp_path / "joints.csv", [tmp_path / "video.mp4", tmp_path / "absent.mp4"])

    @pytest.mark.parametrize("name", ["joints.csv", "a/../joints.csv", "link.csv", "hard.csv"])
    def test_an_input_is_never_the_target_whatever_it_is_called(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "joints.csv").touch()
        (tmp_path / "link.csv").symlink_to(tmp_path / "joints.csv")
        (tmp_path / "hard.csv").hardlink_to(tmp_path / "joints.csv")
        with pytest.raises(InputError, match=r"input.*-o"):
            check_writable(tmp_path / name, [tmp_path / "other.csv", tmp_path / "joints.csv"])

    @pytest.mark.parametrize("name", ["taken/joints.csv", "taken/deeper/still/joints.csv"])
    def test_a_file_in_place_of_a_parent_folder(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "taken").touch()
        with pytest.raises(InputError, match=r"joints\.csv.*taken.*-o"):
            check_writable(tmp_path / name, [])

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="an administrator may write everywhere")
    def test_a_folder_that_may_not_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(InputError, match="-o"):
                check_writable(tmp_path / "x.csv", [])
        finally:
            tmp_path.chmod(0o700)


def test_json_is_the_same_on_every_system(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5], "é": None})
    assert path.read_bytes() == b'{\n "a": [\n  1,\n  2.5\n ],\n "\\u00e9": null\n}\n'
    write_json(path, {"é": True}, indent=2, ascii_only=False)
    assert path.read_bytes() == '{\n  "é": true\n}\n'.encode()
    write_json(path, {"a": [1, 2]}, indent=None)
    assert path.read_bytes() == b'{"a":[1,2]}'
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))


def test_a_spreadsheet_takes_no_text_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, [["name", "value"], ["=1+1", -2.5], ["@b", "-2.5"], ["-c", None], ["+d,e", 3], ["plain", "+1e3"]])
    assert path.read_bytes() == b"name,value\n'=1+1,-2.5\n'@b,-2.5\n'-c,\n\"'+d,e\",3\nplain,+1e3\n"


@pytest.mark.parametrize("name", ["walk", "walk 1", "Gänge", "con-1", "lpt", "com10"])
def test_names_that_every_system_takes(name: str) -> None:
    assert makes_a_file_name(name)


REFUSED = ["", ".a", "a.", "a ", "a/b", "a\\b", "a:b", "a?", "a\n", "CON", "nul.txt", "Com1", "aux .x", "lpt²"]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_some_system_refuses(name: str) -> None:
    assert not makes_a_file_name(name)


def test_a_drive_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows no parent of Z:/out exists if there is no drive Z."""
    monkeypatch.setattr(Path, "exists", lambda _self: False)
    monkeypatch.setattr(Path, "is_dir", lambda _self: False)
    with pytest.raises(InputError, match="-o"):
        check_writable(Path("/z/out"), [])


def test_a_file_that_another_program_holds_open_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows replaces no file that is open, as a table in a spreadsheet."""

    def refused(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "The process cannot access the file")

    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(InputError, match=r"a\.csv"), replacing(tmp_path / "a.csv") as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert tree(tmp_path) == {"a.csv": "old"}


def test_text_is_written_with_the_same_line_ends_on_every_system() -> None:
    """Without `newline`, Windows writes two characters for each line end."""
    wrong = []
    for file in sorted(Path(gonio.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            named = {keyword.arg for keyword in node.keywords}
            opened = node.func.attr == "open" and modes[:1] in (["w"], ["x"]) and "encoding" in named
            if (opened or node.func.attr == "write_text") and "newline" not in named:
                wrong.append(f"{file.name}:{node.lineno}")
    assert wrong == []
