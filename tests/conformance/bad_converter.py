"""A converter for tests: bad_converter.py MODE SOURCE RESULT TARGET."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from dicodec import convert_bytes

mode, source, result, target = sys.argv[1:]
place = Path(result)
content = Path(source).read_bytes()


def last_pixel_changed(made: bytes) -> bytes:
    return made[:-2] + bytes([made[-2] ^ 1, made[-1]])


match mode:
    case "copy":
        place.write_bytes(content)
    case "right":
        place.write_bytes(convert_bytes(content, to=target, lossy=True))
    case "pixel":
        place.write_bytes(last_pixel_changed(convert_bytes(content, to=target)))
    case "name":
        made = convert_bytes(content, to=target, set_attributes={"PatientID": "1"})
        place.write_bytes(made)
    case "silent" | "told":
        place.write_bytes(convert_bytes(content, to=target, salvage="fill"))
        if mode == "told":
            print("a frame is lost", file=sys.stderr)
    case "unrecorded":
        made = convert_bytes(content, to=target, lossy=True)
        place.write_bytes(made.replace(b"\x28\0\x10\x21CS\2\x0001", b"\x28\0\x10\x21CS\2\x0000"))
    case "garbage":
        place.write_bytes(b"garbage")
    case "nothing":
        pass
    case "refuse":
        sys.exit("it cannot be done")
    case "leave":
        place.write_bytes(content)
        sys.exit("it cannot be done")
    case "status":
        sys.exit(254)
    case "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    case "sleep":
        if os.fork() == 0:
            Path(result).with_name("child").write_text(str(os.getpid()))
        time.sleep(600)
    case "hog":
        block = bytearray(1 << 30)
        place.write_bytes(convert_bytes(content, to=target))
