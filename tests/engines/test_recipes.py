"""The recipes of docs/deploy for Spark and Beam do what they say, with the engines themselves."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import pydicom
import pytest

from dicodec import convert_bytes
from helpers.engines import SOURCE, engine
from helpers.installed import program
from helpers.made import IMAGE_KINDS

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
CONTENT = IMAGE_KINDS["gray-16"].make()[0]
RESULT = convert_bytes(CONTENT, to="htj2k-lossless")
READ = """
import json, sys, base64
from pyarrow.parquet import read_table
rows = read_table(sys.argv[1]).to_pylist()
for row in rows:
    row["content"] = row["content"] and base64.b16encode(row["content"]).decode()
print(json.dumps(rows))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with sound files and one that is not."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "in" / "deep" / f"{number}.dcm").write_bytes(CONTENT)
    (tmp_path / "in" / "bad.dcm").write_bytes(CONTENT[:400])
    return tmp_path / "in"


def run(folder: Path, *command: str | Path) -> str:
    environment = {
        **os.environ, "PYTHONPATH": SOURCE, "HOME": str(folder), "TMPDIR": str(folder),
        # Spark asks for its own address; it is not to be any but loopback.
        "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(command[0]),
        "PYSPARK_DRIVER_PYTHON": str(command[0]),
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
    }  # fmt: skip
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False,
        timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_spark_converts_a_folder(source: Path, tmp_path: Path) -> None:
    program("java")
    python = engine("pyspark")
    table = tmp_path / "smaller.parquet"
    run(tmp_path, python, DEPLOY / "spark" / "convert_with_spark.py", source, table)

    rows = json.loads(run(tmp_path, python, "-c", READ, table))
    assert len(rows) == 6
    for row in rows:
        if row["path"].endswith("bad.dcm"):
            assert row["content"] is None
            assert row["error"].endswith("[truncated-file]")
        else:
            assert row["error"] is None
            assert bytes.fromhex(row["content"]) == RESULT


def test_beam_converts_a_folder(source: Path, tmp_path: Path) -> None:
    python = engine("apache_beam")
    output = tmp_path / "smaller"
    recipe = DEPLOY / "beam" / "convert_with_beam.py"
    for _ in range(2):  # again: the results of the first run are replaced
        run(tmp_path, python, recipe, f"{source}/**", output, "--runner=DirectRunner")
        results = sorted(output.glob("*.dcm"))
        assert [path.read_bytes() for path in results] == [RESULT] * 5
        assert pydicom.dcmread(io.BytesIO(RESULT)).pixel_array.size > 0
        (errors,) = [
            line.split("\t")
            for path in output.glob("errors*.tsv")
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        assert errors[0] == str(source / "bad.dcm")
        assert errors[1].endswith("[truncated-file]")
        assert [*output.glob(".*")] == []
