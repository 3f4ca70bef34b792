"""What lies in a folder, and what of it is a document."""

import os
from pathlib import Path

import pytest

from serving.ingest.sources import Found, Skipped, SourceError, Unreadable, listed


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "docs"
    for name, content in {
        "b.md": b"# B",
        "a/c.txt": b"C",
        "a/component.ts": b"let x = 1",
        "picture.png": b"\x89PNG",
        "empty.py": b"",
        ".hidden": b"x",
        ".git/config": b"x",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    os.mkfifo(made / "pipe")
    (made / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    (made / "nowhere.txt").symlink_to(tmp_path / "gone")
    return made


def test_documents_are_found_in_order_and_the_rest_is_told(folder):
    everything = list(listed(str(folder)))
    found = [item for item in everything if isinstance(item, Found)]
    assert [(item.id, item.size, item.read()) for item in found] == [
        ("docs/b.md", 3, b"# B"),
        ("docs/a/c.txt", 1, b"C"),
        ("docs/a/component.ts", 9, b"let x = 1"),
    ]
    assert {item.name: item.why for item in everything if isinstance(item, Skipped)} == {
        "docs/picture.png": "pictures, sounds, films and fonts",
        "docs/empty.py": "empty",
        "docs/.hidden": "hidden",
        "docs/.git": "hidden",
        "docs/pipe": "no files",
        "docs/elsewhere": "linked folders",
    }
    assert [item for item in everything if isinstance(item, Unreadable)] == [
        Unreadable("docs/nowhere.txt", "No such file or directory")
    ]


def test_a_name_that_is_no_text_is_told(tmp_path):
    (tmp_path / "docs").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/docs/caf\xe9.txt")).write_text("x")
    assert list(listed(str(tmp_path / "docs"))) == [Unreadable("docs/caf\ufffd.txt", "its name is no text")]


def test_one_file_and_the_folder_that_one_is_in(folder, monkeypatch):
    assert [item.id for item in listed(str(folder / "b.md"))] == ["b.md"]
    monkeypatch.chdir(folder / "a")
    assert [item.id for item in listed(".")] == ["a/c.txt", "a/component.ts"]


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match="there is no file or folder .*gone"):
        listed(str(tmp_path / "gone"))
