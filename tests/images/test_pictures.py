"""`dicodec show`: pictures and arrays, as other programs read them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from dicodec import convert_bytes, open_image
from dicodec.cli.main import run
from dicodec.images.pictures import PictureKind, encode_pictures, resize_picture
from helpers.made import IMAGE_KINDS
from helpers.samples import colors

FRAMES, SAMPLES = IMAGE_KINDS["multi-frame"].make()
PALETTE, INDICES = IMAGE_KINDS["palette"].make()


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    path = tmp_path / "cine.dcm"
    path.write_bytes(convert_bytes(FRAMES, to="htj2k-lossless"))
    return path


def show(*arguments: object) -> int:
    return run(["show", *map(str, arguments)])


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif"])
def test_a_frame_is_shown_in_each_kind_of_picture(suffix: str, cine: Path) -> None:
    path = cine.with_suffix(f".{suffix}")
    assert show(cine, "--frame", 2, "--window", 2000, 1000, "-o", path) == 0
    with open_image(cine) as image:
        expected = image.read_frame(2, window=(2000, 1000)).astype(int)
    with Pillow.open(path) as picture:
        assert np.abs(np.asarray(picture.convert("L")) - expected).mean() <= (
            6 if suffix == "jpg" else 0
        )


@pytest.mark.parametrize(("suffix", "error"), [("png", 0), ("jpg", 40), ("tif", 0), ("gif", 22)])
def test_colors_are_shown(suffix: str, error: int, tmp_path: Path) -> None:
    source, path = tmp_path / "palette.dcm", tmp_path / f"shown.{suffix}"
    source.write_bytes(PALETTE)
    assert show(source, "-o", path) == 0
    with Pillow.open(path) as picture:
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(shown - colors(INDICES)[0]).mean() <= error


@pytest.mark.parametrize("suffix", ["tif", "gif"])
def test_all_frames_are_pages_of_one_file(suffix: str, cine: Path) -> None:
    path = cine.with_suffix(f".{suffix}")
    assert show(cine, "--frame", "all", "-o", path) == 0
    with open_image(cine) as image, Pillow.open(path) as picture:
        assert getattr(picture, "n_frames", 1) == 5
        for frame, expected in enumerate(image.read_frames(window="auto")):
            picture.seek(frame)
            assert np.array_equal(np.asarray(picture.convert("L")), expected)


@pytest.mark.parametrize("samples", [1, 3])
def test_noise_is_a_gif_too(samples: int) -> None:
    shape = (2, 64, 64) if samples == 1 else (2, 64, 64, 3)
    noise = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    with Pillow.open(io.BytesIO(encode_pictures(noise, PictureKind.GIF))) as picture:
        picture.seek(1)
        if samples == 1:
            assert np.array_equal(np.asarray(picture.convert("L")), noise[1])


def test_all_frames_are_files_of_their_own(cine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(cine, "--frame", "all", "-o", cine.with_suffix(".png")) == 0
    names = [f"cine-{number}.png" for number in range(5)]
    assert sorted(path.name for path in cine.parent.glob("*.png")) == names
    assert [Path(line).name for line in capsys.readouterr().out.splitlines()] == names


def test_arrays_have_stored_samples(cine: Path) -> None:
    assert show(cine, "--frame", "all", "-o", cine.with_suffix(".npy")) == 0
    assert np.array_equal(np.load(cine.with_suffix(".npy")), SAMPLES)
    assert show(cine, "--frame", 3, "-o", cine.with_suffix(".raw")) == 0
    assert cine.with_suffix(".raw").read_bytes() == SAMPLES[3].astype("<u2").tobytes()
    assert show(cine, "--frame", 3, "--window", 1, 2, "-o", cine.parent / "shown.npy") == 0
    assert np.load(cine.parent / "shown.npy").dtype == np.uint8


def test_a_scaled_picture_is_made_of_means(cine: Path) -> None:
    path = cine.with_suffix(".png")
    assert show(cine, "--scale", "0.5", "-o", path) == 0
    with open_image(cine) as image:
        full = image.read_frame(0, window="auto").astype(float)
    means = full.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(np.asarray(Pillow.open(path)) - means).max() <= 0.5
    twice = resize_picture(full.astype(np.uint8), (96, 128))
    assert np.array_equal(twice, full.repeat(2, axis=0).repeat(2, axis=1))
    odd = resize_picture(np.full((7, 5, 3), 9, np.uint8), (3, 2))
    assert odd.shape == (3, 2, 3)
    assert (odd == 9).all()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--frame", "5", "-o", "x.png"], 2, "frames are 0 to 4, or all"),
        (["--frame", "last", "-o", "x.png"], 2, "frames are 0 to 4, or all"),
        (["-o", "x.bmp"], 2, "does not name a kind of picture"),
        (["--scale", "0", "-o", "x.png"], 2, "the scale is 0"),
        (["--scale", "9999", "-o", "x.png"], 2, "too large"),
        (["--scale", "2", "-o", "x.npy"], 2, "not scaled"),
        (["--window", "1", "0", "-o", "x.png"], 2, "shows nothing"),
        (["-o", "there.png"], 1, "[target-exists]"),
    ],
)
def test_odd_requests_are_refused(
    arguments: list[str],
    status: int,
    said: str,
    cine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(cine.parent)
    Path("there.png").write_bytes(b"mine")
    assert show(cine, *arguments) == status
    assert said in capsys.readouterr().err
    assert Path("there.png").read_bytes() == b"mine"
    assert not [*Path().glob("x*")]


def test_a_damaged_frame_leaves_no_picture(cine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cine.write_bytes(cine.read_bytes()[:-400])
    assert show(cine, "--frame", "all", "-o", cine.with_suffix(".npy")) == 1
    assert "[truncated-frame]" in capsys.readouterr().err
    assert [path.name for path in cine.parent.iterdir()] == ["cine.dcm"]


def test_a_folder_becomes_a_contact_sheet(
    cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "palette.dcm").write_bytes(PALETTE)
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "hurt.dcm").write_bytes(IMAGE_KINDS["gray-8"].make()[0][:-100])
    path = tmp_path.parent / f"{tmp_path.name}-sheet.png"
    assert show(tmp_path, "-o", path) == 1
    printed = capsys.readouterr()
    assert "truncated" in printed.err
    places = [line.partition(": ") for line in printed.out.splitlines()]
    assert [place for place, _, _ in places] == [
        "row 1 column 1",
        "row 1 column 2",
        "row 2 column 1",
    ]
    assert [Path(name).name for _, _, name in places] == ["cine.dcm", "hurt.dcm", "palette.dcm"]
    sheet = np.asarray(Pillow.open(io.BytesIO(path.read_bytes())))
    assert sheet.shape == (388, 388, 3)
    assert (sheet[:192, 196:] == 96).all()
    assert np.array_equal(sheet[196 + 24 : 388 - 24 : 3, 0:192:3], colors(INDICES)[0])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert show(empty, "-o", empty / "x.png") == 2
    assert show(tmp_path, "-o", tmp_path / "x.npy") == 2


@pytest.mark.parametrize(
    "arguments",
    [["show", "-o", "no/x.png"], ["show", "-o", "no/x.npy"], ["show", "--frame", "all", "-o",
     "no/x.tif"], ["compare", "--html", "no/x.html"], ["compare", "--picture", "no/x.png"]],
)  # fmt: skip
def test_an_error_names_the_place_whose_folder_is_missing(
    arguments: list[str], cine: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(cine.parent)
    command, *options = arguments
    sources = [str(cine)] * (1 + (command == "compare"))
    assert run([command, *sources, *options]) == 1
    assert f"{options[-1]}: the target's folder does not exist" in capsys.readouterr().err
    assert run(["show", str(cine.parent), "-o", "no/sheet.png"]) == 1
    assert "no/sheet.png: the target's folder" in capsys.readouterr().err


def test_convert_names_the_command_for_pictures(
    cine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(cine), "--to", "rle", "-o", str(cine.with_suffix(".png"))]) == 2
    assert "`dicodec show` writes pictures" in capsys.readouterr().err
