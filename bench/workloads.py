"""What is converted: a table of made files, and the transfer syntaxes that each is converted to.

Nothing here comes from a real image; made_file.py writes the files, images.py makes the frames.
Whoever measures imports this, so it has to stay small: no NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

MB = 1000 * 1000


class Goal(Enum):
    """What is to be reached by a row of a workload."""

    TIMES = "3 times the fastest peer, or 0.9 of the codec alone"
    SMALL = "under 0.3 s"
    AHEAD = "not slower than the fastest peer"


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of file to convert, or a folder of them.

    Attributes:
        name: as `--workloads` takes it.
        label: for charts.
        title: for the tables.
        image: the maker in images.py.
        rows, columns, samples, allocated, stored, signed: the Image Pixel Module.
        photometric: Photometric Interpretation.
        modality, sop_class: what the files say they are.
        frames, files: how many, frames in each file.
        syntaxes: names of what it is converted to and back.
        goal: what is to be reached.
        short: frames and files of a run that only shows that all works.
        functional_groups: bytes, about, that each frame has in Per-frame Functional Groups.
        peers: names of the only peers to run, or none for all.
        in_memory: whether its files and results are on a tmpfs, so that no disk bounds the row.
        durability: of dicodec: whether it waits for the disk never, a group at a time, or for each
            file; its peers never wait.
    """

    name: str
    label: str
    title: str
    image: str
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    modality: str
    sop_class: str
    frames: int
    files: int
    syntaxes: tuple[str, ...]
    goal: Goal
    short: tuple[int, int]
    functional_groups: int = 0
    peers: tuple[str, ...] = ()
    in_memory: bool = False
    durability: str = "batch"

    @property
    def frame_bits(self) -> int:
        """Bits of one frame; a multiple of 8 in all of these."""
        return self.rows * self.columns * self.samples * self.allocated

    @property
    def file_bytes(self) -> int:
        """Bytes of the samples of one file."""
        return self.frames * self.frame_bits // 8

    def sized(self, frames: int, files: int) -> Workload:
        """Return the same with another number of frames and files."""
        return replace(self, frames=frames, files=files)


_LOSSLESS = (
    "jpeg-lossless",
    "jpeg-ls",
    "jpeg-ls-near",
    "jpeg2000-lossless",
    "htj2k-lossless",
    "jpegxl-lossless",
    "rle",
    "deflated",
    "implicit-le",
)
_LARGE = ("jpeg-lossless", "jpeg-ls", "htj2k-lossless", "rle", "implicit-le")
_BITS = ("rle", "deflated", "deflated-frame", "implicit-le")
_STORAGE = "1.2.840.10008.5.1.4.1.1."

_CT = Workload(
    name="ct",
    label="one CT file",
    title="one CT file of 512 x 512 x 16",
    image="ct",
    rows=512,
    columns=512,
    samples=1,
    allocated=16,
    stored=16,
    signed=True,
    photometric="MONOCHROME2",
    modality="CT",
    sop_class=f"{_STORAGE}2",
    frames=1,
    files=1,
    syntaxes=_LOSSLESS,
    goal=Goal.SMALL,
    short=(1, 1),
)
_SERIES_IN_MEMORY = tuple(
    replace(
        _CT,
        name=f"ct-{files}-tmpfs",
        label=f"{files:,} CT files, tmpfs",
        title=f"{files:,} CT files of 512 x 512 x 16 on tmpfs, nothing synced",
        files=files,
        syntaxes=syntaxes,
        goal=Goal.AHEAD,
        short=(1, 3),
        peers=("python-gdcm", "pydcm"),
        in_memory=True,
        durability="none",
    )
    for files, syntaxes in (
        (200, ("jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "rle",
               "implicit-le")),
        (2000, ("jpeg-lossless", "jpeg-ls", "rle", "implicit-le")),
    )
)  # fmt: skip
_SERIES_ON_DISK = tuple(
    replace(
        _CT,
        name=f"ct-{files}-{durability}",
        label=f"{files:,} CT files, {durability}",
        title=f"{files:,} CT files of 512 x 512 x 16 on disk, --durability {durability}",
        files=files,
        syntaxes=("rle", "implicit-le"),
        goal=Goal.AHEAD,
        short=(1, 3),
        peers=("python-gdcm", "pydcm"),
        durability=durability,
    )
    for files, durability in ((200, "none"), (200, "file"), (2000, "none"), (2000, "batch"))
)
_MULTI_FRAME = replace(
    _CT,
    name="ct-300",
    label="300 frames",
    title="300 frames of 512 x 512 x 16 in one file",
    sop_class=f"{_STORAGE}2.1",  # the one for words, 7.3, is for unsigned samples only
    frames=300,
    goal=Goal.TIMES,
    short=(3, 1),
)
_COLOR = replace(
    _CT,
    samples=3,
    allocated=8,
    stored=8,
    signed=False,
    photometric="RGB",
    syntaxes=("jpeg", *_LOSSLESS),
    goal=Goal.AHEAD,
    short=(2, 1),
)

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _CT,
        replace(
            _CT,
            name="ct-200",
            label="200 CT files",
            title="200 CT files of 512 x 512 x 16",
            files=200,
            goal=Goal.TIMES,
            short=(1, 3),
        ),
        *_SERIES_ON_DISK,
        *_SERIES_IN_MEMORY,
        _MULTI_FRAME,
        replace(
            _MULTI_FRAME,
            name="ct-1gb",
            label="1 GB, 2,000 frames",
            title="1 GB: 2,000 frames of 512 x 512 x 16 in one file",
            frames=2000,
            syntaxes=_LARGE,
            short=(4, 1),
            peers=("gdcmconv", "DCMTK"),
        ),
        replace(
            _COLOR,
            name="ultrasound",
            label="color ultrasound",
            title="color ultrasound, 40 frames of 480 x 640 x 3",
            image="ultrasound",
            rows=480,
            columns=640,
            modality="US",
            sop_class=f"{_STORAGE}3.1",
            frames=40,
        ),
        replace(
            _CT,
            name="mammography",
            label="mammography",
            title="mammography, 4096 x 3328, 12 bits in 16",
            image="mammography",
            rows=4096,
            columns=3328,
            stored=12,
            signed=False,
            modality="MG",
            sop_class=f"{_STORAGE}1.2",
            syntaxes=("jpeg-extended", *_LOSSLESS),
            goal=Goal.AHEAD,
        ),
        replace(
            _COLOR,
            name="slide",
            label="whole slide",
            title="whole slide, 200 tiles of 256 x 256 x 3",
            image="slide",
            rows=256,
            columns=256,
            modality="SM",
            sop_class=f"{_STORAGE}77.1.6",
            frames=200,
        ),
        replace(
            _CT,
            name="segmentation",
            label="segmentation, 1 bit",
            title="segmentation, 300 frames of 512 x 512 x 1 bit",
            image="segmentation",
            allocated=1,
            stored=1,
            signed=False,
            modality="SEG",
            sop_class=f"{_STORAGE}66.4",
            frames=300,
            syntaxes=_BITS,
            goal=Goal.AHEAD,
            short=(3, 1),
        ),
        replace(
            _CT,
            name="enhanced",
            label="enhanced CT",
            title="enhanced CT, 300 frames of 256 x 256 x 16, 6 kB of functional groups each",
            rows=256,
            columns=256,
            sop_class=f"{_STORAGE}2.1",
            frames=300,
            goal=Goal.AHEAD,
            short=(3, 1),
            functional_groups=6000,
        ),
    )
}

_MOVED = ("jpeg-lossless", "rle", "implicit-le")
_OF_KERNELS = ("jpeg-lossless", "rle")

SELECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "kernels": {
        "ct": (*_MOVED, "jpeg-ls"),
        "ct-200": _MOVED,
        "ct-200-none": ("rle", "implicit-le"),
        "ct-200-file": ("rle", "implicit-le"),
        "ct-200-tmpfs": (*_MOVED, "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless"),
        "ct-2000-tmpfs": ("rle", "implicit-le"),
        "ct-2000-none": ("rle", "implicit-le"),
        "ct-2000-batch": ("rle",),
        "ct-300": _OF_KERNELS,
        "ct-1gb": _OF_KERNELS,
        "start-up": (),
    }
}
"""By name, workloads and what of their transfer syntaxes is run, and parts of the benchmark."""
