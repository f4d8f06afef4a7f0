"""The notebooks of docs/ run from a clean folder, each cell without an error."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from helpers.corpus import ROOT
from helpers.installed import program

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_cell_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if notebook.stem.startswith("queue"):
        program("redis-server")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own packages
        import nbclient
        import nbformat

        read: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
        folder = tmp_path / "work"
        folder.mkdir()
        made = nbclient.NotebookClient(
            read, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        ).execute()
    outputs = [one for cell in made.cells if cell.cell_type == "code" for one in cell.outputs]
    assert not [one for one in outputs if one.output_type == "error"]


def test_notebooks_are_stored_without_outputs() -> None:
    assert len(NOTEBOOKS) == 3
    for notebook in NOTEBOOKS:
        text = notebook.read_text(encoding="utf-8")
        assert '"output_type"' not in text, notebook.name
        assert '"execution_count": null' in text
