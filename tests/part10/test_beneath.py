"""Files beneath a root: opened and named by descriptor, so that no link leads elsewhere."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dicodec.errors import PathNotAllowedError, SourceUnavailableError
from dicodec.part10.beneath import (
    Beneath,
    OpenFolders,
    PinnedPath,
    make_folders,
    open_beneath,
    open_found,
    pin_target,
    show_path,
)
from dicodec.part10.source import OpenSource
from helpers.links import exchange_for_link
from helpers.outputs import create_output
from helpers.special_files import make_special


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b" / "file").write_bytes(b"inside")
    (tmp_path / "outside" / "b").mkdir(parents=True)
    (tmp_path / "outside" / "b" / "file").write_bytes(b"secret")
    return tmp_path / "root"


def test_a_place_is_below_the_first_root_that_a_path_leads_to(root: Path) -> None:
    (root / "link").symlink_to("a/b")
    roots = [str(root / "a" / "b" / "none"), str(root)]
    assert Beneath.resolve(f"{root}/link/../b/file", roots) == Beneath(str(root), "a/b/file")
    assert Beneath.resolve(f"{root}/link/new", roots) == Beneath(str(root), "a/b/new")
    assert Beneath.resolve(f"{root}/../outside/b/file", roots) is None
    assert Beneath.resolve(str(root), roots) is None
    assert Beneath.resolve("/etc/hostname", ["/"]) == Beneath("/", "etc/hostname")
    assert Beneath.of(f"{root}//a/b/file", str(root)).relative == "a/b/file"
    with pytest.raises(ValueError, match="does not begin"):
        Beneath.of("/elsewhere/file", str(root))


def count_opens(work: Callable[[], object]) -> int:
    opened: list[object] = []
    original = os.open
    with pytest.MonkeyPatch.context() as patch:

        def count(*arguments: Any, **named: Any) -> int:
            opened.append(arguments)
            return original(*arguments, **named)

        patch.setattr(os, "open", count)
        work()
    return len(opened)


def test_results_of_a_group_share_their_open_folder(root: Path) -> None:
    folders = OpenFolders()
    place = Beneath(str(root), "a/b/one")
    first = pin_target(place, folders=folders)
    second: list[PinnedPath] = []
    other = Beneath(str(root), "a/b/two")
    assert count_opens(lambda: second.append(pin_target(other, folders=folders))) == 0
    assert [str(path) for path in (first, *second)] == [place.path, other.path]
    second[0].write_bytes(b"two")
    assert (root / "a" / "b" / "two").read_bytes() == b"two"
    assert count_opens(lambda: pin_target(Beneath(str(root), "a/x"), folders=folders)) == 2
    folders.clear()
    assert count_opens(lambda: pin_target(other, folders=folders)) == 3


def test_a_folder_that_was_removed_is_made_anew_for_the_next_result(root: Path) -> None:
    folders = OpenFolders()
    pin_target(Beneath(str(root), "new/one"), folders=folders)
    (root / "new").rmdir()
    pin_target(Beneath(str(root), "new/two"), folders=folders).write_bytes(b"two")
    assert (root / "new" / "two").read_bytes() == b"two"


def test_results_go_to_the_folder_that_was_opened(root: Path) -> None:
    folders = OpenFolders()
    pin_target(Beneath(str(root), "a/one"), folders=folders)
    exchange_for_link(root / "a", root.parent / "outside")
    pin_target(Beneath(str(root), "a/two"), folders=folders).write_bytes(b"two")
    assert (root / "a-away" / "two").read_bytes() == b"two"
    assert not (root.parent / "outside" / "two").exists()
    folders.clear()
    with pytest.raises(PathNotAllowedError):
        pin_target(Beneath(str(root), "a/three"), folders=folders)


def test_a_file_in_the_root_itself_is_opened_at_once(root: Path) -> None:
    (root / "file").write_bytes(b"here")
    (root / "link").symlink_to("file")
    (root.parent / "other").symlink_to(root)
    for named in (root, root.parent / "other"):

        def read(place: Beneath) -> bytes:
            with open_beneath(place) as file:
                return os.pread(file.descriptor, 9, 0)

        place = Beneath(str(named), "file")
        assert count_opens(lambda place=place: read(place)) == 1  # type: ignore[misc]
        assert read(place) == b"here"
        with pytest.raises(PathNotAllowedError):
            read(Beneath(str(named), "link"))


@pytest.mark.parametrize("folder", [".", "/tmp", "/", "a/./b//", "a"])
def test_pinned_paths_say_what_paths_say(
    root: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    pinned = pin_target(Beneath(folder, "name.dcm"), makes_folders=False)
    plain = Path(folder, "name.dcm")
    for one, other in ((pinned, plain), (pinned.parent, plain.parent)):
        assert (str(one), one.name) == (str(other), other.name)
        assert one.stem == other.stem
        assert one.suffix == other.suffix
        assert one.with_name("x").name == other.with_name("x").name if other.name else True


def test_pinned_paths_are_removed_and_linked_in_their_folder(root: Path) -> None:
    folders = OpenFolders()
    one, two = (pin_target(Beneath(str(root), f"a/{name}"), folders=folders) for name in "xy")
    one.write_bytes(b"x")
    exchange_for_link(root / "a", root.parent / "outside")
    one.link_as(two)
    one.unlink()
    one.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        one.unlink()
    assert sorted(path.name for path in (root / "a-away").iterdir()) == ["b", "y"]
    two.with_name("z").symlink_to("y")
    linked = two.with_name("z")
    assert isinstance(linked, PinnedPath)
    linked.link_as(one)
    assert one.is_symlink()


@pytest.mark.parametrize("folder", ["a", "a/b"])
def test_a_folder_exchanged_for_a_link_leads_nowhere(root: Path, folder: str) -> None:
    elsewhere = root.parent / "outside" if folder == "a" else root.parent / "outside" / "b"
    exchange_for_link(root / folder, elsewhere)
    place = Beneath(str(root), "a/b/file")
    with pytest.raises(PathNotAllowedError, match="symbolic link"), open_beneath(place):
        pass
    with pytest.raises(PathNotAllowedError, match="symbolic link"):
        pin_target(place)


def test_a_file_exchanged_for_a_link_is_not_opened(root: Path) -> None:
    (root / "a" / "b" / "file").unlink()
    (root / "a" / "b" / "file").symlink_to(root.parent / "outside" / "b" / "file")
    place = Beneath(str(root), "a/b/file")
    with pytest.raises(PathNotAllowedError, match="symbolic link"), open_beneath(place):
        pass


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "named").symlink_to(root)
    with open_beneath(Beneath(str(root.parent / "named"), "a/b/file")) as opened:
        assert Path(os.fspath(opened)).read_bytes() == b"inside"


def test_an_open_file_stays_the_same_whatever_happens_to_its_name(root: Path) -> None:
    place = Beneath(str(root), "a/b/file")
    with open_beneath(place) as opened:
        exchange_for_link(root / "a", root.parent / "outside")
        for _ in range(2):
            with OpenSource(opened) as source:
                assert source.read(0, 99) == b"inside"
        assert (str(opened), show_path(opened)) == (place.path, place.path)


def test_a_pinned_path_stays_in_its_folder(root: Path) -> None:
    target = pin_target(Beneath(str(root), "a/new/result"))
    exchange_for_link(root / "a", root.parent / "outside")
    with create_output(target, overwrite=False) as part:
        assert isinstance(part, PinnedPath)
        part.write_bytes(b"result")
    assert (root / "a-away" / "new" / "result").read_bytes() == b"result"
    assert not (root.parent / "outside" / "new").exists()
    assert str(target) == str(root / "a" / "new" / "result")
    assert target == root / "a" / "new" / "result"
    assert target.read_bytes() == b"result"
    assert (target.parent / "result").read_bytes() == b"result"


def test_a_pinned_path_follows_no_link(root: Path) -> None:
    secret = root.parent / "outside" / "b" / "file"
    (root / "a" / "b" / "link").symlink_to(secret)
    target = pin_target(Beneath(str(root), "a/b/link"))
    assert target.resolve() is target
    assert target.is_symlink()
    assert not target.is_file()
    with (
        pytest.raises(Exception, match="would be replaced"),
        create_output(target, overwrite=True),
    ):
        pass
    assert secret.read_bytes() == b"secret"


def test_a_pinned_path_cannot_be_made_to_leave(root: Path) -> None:
    target = pin_target(Beneath(str(root), "a/b/file"))
    for name in ("..", "."):
        with pytest.raises(ValueError, match=r"name"):
            target.with_name(name)
    assert type(target.parent.parent) is not PinnedPath
    assert os.fspath(target.with_name("other")).startswith("/proc/self/fd/")
    assert str(target.with_suffix(".dcm")) == str(root / "a" / "b" / "file.dcm")
    with pytest.raises(TypeError):
        pickle.dumps(target)


def count_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_folders_stay_open_no_longer_than_their_paths(root: Path) -> None:
    before = count_descriptors()
    targets = [pin_target(Beneath(str(root), f"a/{number}/x")) for number in range(20)]
    assert count_descriptors() == before + 20
    targets.clear()
    with open_beneath(Beneath(str(root), "a/b/file")):
        pass
    for wrong in ("a/none/file", "a/b", "a/b/file/x"):
        with pytest.raises((SourceUnavailableError, PathNotAllowedError)):
            open_beneath(Beneath(str(root), wrong)).__enter__()
    assert count_descriptors() == before


@pytest.mark.parametrize("relative", ["", "a/../../outside/b/file", "./a", "a//b", "a/"])
def test_only_places_of_files_are_opened(root: Path, relative: str) -> None:
    with (
        pytest.raises(PathNotAllowedError, match="does not name a file"),
        open_beneath(Beneath(str(root), relative)),
    ):
        pass


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device"])
def test_only_regular_files_are_opened_and_nobody_waits(root: Path, kind: str) -> None:
    make_special(root / "special", kind)
    opened: list[BaseException | None] = []

    def attack() -> None:
        for opening in (open_beneath(Beneath(str(root), "special")), open_found(f"{root}/special")):
            try:
                with opening:
                    opened.append(None)
            except PathNotAllowedError as error:
                opened.append(error)

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    thread.join(20)
    assert len(opened) == 2, "it waits for somebody to write"
    assert None not in opened


def test_missing_files_are_missing(root: Path) -> None:
    for relative in ("none", "none/file", "a/b/file/below"):
        with (
            pytest.raises(SourceUnavailableError, match="does not exist"),
            open_beneath(Beneath(str(root), relative)),
        ):
            pass
    with pytest.raises(SourceUnavailableError, match="NUL"), open_beneath(Beneath(str(root), "\0")):
        pass
    with pytest.raises(NotADirectoryError):
        pin_target(Beneath(str(root), "a/b/file/x"))
    with pytest.raises(FileNotFoundError):
        pin_target(Beneath(str(root), "none/x"), makes_folders=False)


def test_every_new_name_is_synced_up_to_the_first_folder_that_was_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    pin_target(Beneath(str(root), "a/new/newer/newest/x"))
    assert synced == [f"{root}/a", f"{root}/a/new", f"{root}/a/new/newer"]
    synced.clear()
    make_folders(root / "other" / "deep")
    assert synced == [str(root), f"{root}/other"]
    synced.clear()
    make_folders(root / "other" / "deep")
    pin_target(Beneath(str(root), "other/deep/x"))
    assert synced == []
    (root / "file").touch()
    with pytest.raises(FileExistsError):
        make_folders(root / "file")


def test_it_can_be_imported_where_the_system_has_none_of_it() -> None:
    program = (
        "import os, sys\n"
        "for name in ('O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC'):\n"
        "    if hasattr(os, name): delattr(os, name)\n"
        "sys.platform = 'elsewhere'\n"
        "import dicodec.part10.beneath\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_another_name_is_one_in_the_same_open_folder(tmp_path: Path) -> None:
    (tmp_path / "root" / "folder").mkdir(parents=True)
    one = pin_target(Beneath(str(tmp_path / "root"), "folder/one"))
    two = one.with_name("two")
    (tmp_path / "root" / "folder").rename(tmp_path / "moved")
    two.write_text("two")
    assert (tmp_path / "moved" / "two").read_text() == "two"
    assert str(two) == str(tmp_path / "root" / "folder" / "two")
    for name in ("", ".", "..", "a/b"):
        with pytest.raises(ValueError, match=r"name"):
            one.with_name(name)
    assert type(one.parent.with_name("beside")) is type(tmp_path)
