"""Whole deliveries with real peers: received, made safe, converted to what each accepts, sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from helpers.dicom_network import SHIPPED, RunningGateway, find_free_port, running_storescp, send
from helpers.patience import wait_for

FILES = (
    "CT_small.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd.dcm",
    "test-SR.dcm",
)
PROFILES = {
    "ASIS": "+xa +B",
    "NATIVE": "+x=",
    "IMPLICIT": "+xi",
    "J2K": "+xv",
    "JLS": "+xt",
    "RLE": "+xr",
}
"""Names of peers, and what they accept; all take a native syntax, too."""

PREFERRED = {
    "J2K": 'prefer = ["jpeg2000-lossless"]',
    "JLS": 'prefer = ["jpeg-ls", "jpeg2000-lossless"]',
    "RLE": 'prefer = ["htj2k-lossless", "rle"]',
}
SYNTAXES = {
    "J2K": "1.2.840.10008.1.2.4.90",
    "JLS": "1.2.840.10008.1.2.4.80",
    "RLE": "1.2.840.10008.1.2.5",
    "IMPLICIT": "1.2.840.10008.1.2",
    "NATIVE": "1.2.840.10008.1.2.1",
}


class Site:
    """A gateway with a peer for each profile, and one that is not there yet."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        peers = []
        for name, profile in PROFILES.items():
            port = stack.enter_context(running_storescp(folder / name, *profile.split()))
            peers.append((name, port, PREFERRED.get(name, "")))
        self.late_port = find_free_port()
        peers.append(("LATE", self.late_port, ""))
        config = f"""
            [receive]
            aet = "DICODEC"
            port = 0
            spool = "spool"
            processes = 1

            [[route]]
            from = "ALL"
            to = {[*PROFILES]}

            [[route]]
            from = "LATE"
            to = ["LATE", "ASIS"]

            [[route]]
            from = "CHOSEN"
            when.modality = "MR"
            policy = "policy.toml"
            to = ["ASIS"]
        """
        (folder / "policy.toml").write_text(
            '[[rule]]\nto = ["jpeg-ls"]\nset = {InstitutionName = "CHANGED"}\n'
        )
        for name, port, more in peers:
            config += f"""
                [[peer]]
                name = "{name}"
                host = "127.0.0.1"
                port = {port}
                aet = "STORE"
                {more}
            """
        self.metrics_port = find_free_port()
        arguments = ("--jobs", "1", "--retry-after", "0.5",
                     "--metrics-port", str(self.metrics_port))  # fmt: skip
        self.gateway = stack.enter_context(RunningGateway(folder, config, *arguments))

    def find(self, peer: str, instance: str) -> list[Path]:
        """Return the files with an object that a peer has got."""
        return [path for path in (self.folder / peer).iterdir() if read_instance(path) == instance]


def read_instance(path: Path) -> str:
    """Return the SOP Instance UID of a file."""
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("site"), stack)


@pytest.fixture(scope="module")
def filled(site: Site) -> Site:
    """The site once files of all kinds went to every peer; tests run in any order, or alone."""
    sent = send(site.gateway.port, *(SHIPPED / name for name in FILES), sender="ALL")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    site.gateway.wait_until_empty(60)
    return site


def list_elements(data_set: Dataset) -> dict[int, Any]:
    """Return the values of a data set, without the padding behind it that dcmsend leaves out."""
    found = {int(element.tag): element.value for element in data_set}
    found.pop(0xFFFCFFFC, None)
    return found


def test_each_peer_gets_what_it_accepts(filled: Site) -> None:
    for path in (SHIPPED / name for name in FILES):
        source = dcmread(path)
        for peer in PROFILES:
            (got,) = filled.find(peer, source.SOPInstanceUID)
            result = dcmread(got)
            syntax = result.file_meta.TransferSyntaxUID
            if peer == "ASIS":
                assert syntax == source.file_meta.TransferSyntaxUID
                assert list_elements(result) == list_elements(source)
            elif "PixelData" in source:
                assert syntax == SYNTAXES[peer], (peer, path.name)
            if "PixelData" in source:
                assert np.array_equal(result.pixel_array, source.pixel_array), (peer, path.name)
                assert result.PatientName == source.PatientName
    assert not filled.gateway.events("dead")


def test_the_same_object_is_forwarded_once(site: Site) -> None:
    path = SHIPPED / "CT_small.dcm"
    for _ in range(3):
        assert send(site.gateway.port, path, sender="ALL").returncode == 0
    site.gateway.wait_until_empty()
    assert len(site.find("ASIS", read_instance(path))) == 1


def test_a_policy_decides_and_its_edits_are_made(site: Site) -> None:
    path = SHIPPED / "MR_small.dcm"
    before = site.find("ASIS", read_instance(path))
    assert send(site.gateway.port, path, sender="CHOSEN").returncode == 0
    site.gateway.wait_until_empty()
    (got,) = set(site.find("ASIS", read_instance(path))) - set(before)
    result = dcmread(got)
    assert result.file_meta.TransferSyntaxUID == SYNTAXES["JLS"]
    assert result.InstitutionName == "CHANGED"
    assert np.array_equal(result.pixel_array, dcmread(path).pixel_array)


def test_an_object_without_a_route_is_refused(site: Site) -> None:
    sent = send(site.gateway.port, SHIPPED / "CT_small.dcm", sender="CHOSEN")
    assert "with status ERROR    : 1" in sent.stdout + sent.stderr
    refused = site.gateway.events("object refused")
    assert refused[-1]["message"] == "no route matches the object"
    assert not site.gateway.held()


def test_a_dead_peer_stops_nobody_and_gets_its_objects_later(site: Site) -> None:
    path = SHIPPED / "MR_small_bigendian.dcm"
    assert send(site.gateway.port, path, sender="LATE").returncode == 0
    wait_for(lambda: site.find("ASIS", read_instance(path)))
    site.gateway.wait_for_events("peer is down", 1)
    assert [held.name.endswith(".LATE.dcm") for held in site.gateway.held()] == [True]
    with running_storescp(site.folder / "LATE", port=site.late_port):
        site.gateway.wait_until_empty()
        (got,) = site.find("LATE", read_instance(path))
    assert site.gateway.events("peer answers again")
    result: Any = dcmread(got)
    assert np.array_equal(result.pixel_array, dcmread(path).pixel_array)


def test_metrics_tell_of_each_peer(filled: Site) -> None:
    text = httpx.get(f"http://127.0.0.1:{filled.metrics_port}/metrics").text
    assert 'dicodec_peer_up{peer="ASIS"} 1.0' in text
    assert 'dicodec_peer_deliveries{peer="IMPLICIT",state="done"} 5.0' in text
    assert 'dicodec_attempts_total{cause="",outcome="succeeded"}' in text


def test_logs_have_no_names_of_patients(filled: Site) -> None:
    text = filled.gateway.log_path.read_text()
    assert "done" in text
    for name in FILES:
        patient = str(dcmread(SHIPPED / name, stop_before_pixels=True).get("PatientName", ""))
        for part in filter(None, patient.split("^")):
            assert part not in text
