"""The trace of an object: from its receiving to its delivery to each peer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.collector import running_collector
from helpers.dicom_network import SHIPPED, RunningGateway, running_storescp, send

RECEIVE = """
[receive]
aet = "DICODEC"
port = 0
spool = "spool"
processes = 1

[[route]]
from = "SENDER"
to = ["A", "B"]
"""
PEER = """
[[peer]]
name = "{name}"
host = "127.0.0.1"
port = {port}
aet = "STORE"
{more}
"""


def test_an_object_has_one_trace_with_its_deliveries(tmp_path: Path) -> None:
    with running_collector() as (url, got):
        with (
            running_storescp(tmp_path / "A", "+xa") as first,
            running_storescp(tmp_path / "B", "+xv") as second,
        ):
            config = RECEIVE + PEER.format(name="A", port=first, more="")
            config += PEER.format(name="B", port=second, more='prefer = ["jpeg2000-lossless"]')
            arguments = ("--jobs", "1", "--traces", url)
            with RunningGateway(tmp_path / "gateway", config, *arguments) as gateway:
                assert send(gateway.port, SHIPPED / "CT_small.dcm").returncode == 0
                send(gateway.port, SHIPPED / "CT_small.dcm", sender="X")  # no route takes it
                gateway.wait_for_events("done", 2)
        assert {(path, name) for path, name, _ in got} == {("/v1/traces", "dicodec-gateway")}
        spans = {span.name: span for _, _, span in got}
        by_outcome = {
            (span.name, read_text(span, "dicodec.outcome")): span
            for _, _, span in got
            if span.name == "receive object"
        }
    received = by_outcome["receive object", "safe"]
    refused = by_outcome["receive object", "refused"]
    assert read_text(received, "dicodec.sender") == "SENDER"
    assert read_text(refused, "error.type") == "0xC001"
    assert refused.trace_id != received.trace_id
    assert received.start_time_unix_nano < received.end_time_unix_nano
    for peer in "AB":
        delivered = spans[f"deliver to {peer}"]
        assert delivered.trace_id == received.trace_id
        assert delivered.parent_span_id == received.span_id
        assert read_text(delivered, "dicodec.outcome") == "done"
        stages = [one for _, _, one in got if one.parent_span_id == delivered.span_id]
        assert {one.name for one in stages} >= {"send"}
        assert ("convert" in {one.name for one in stages}) is (peer == "B")
    assert not any("CompressedSamples" in str(span) for _, _, span in got)


def read_text(span: Any, name: str) -> str:
    """Return the text of an attribute."""
    return next((str(one.value.string_value) for one in span.attributes if one.key == name), "")
