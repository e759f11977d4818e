"""The notebook runs from top to bottom, without PyTorch."""

from pathlib import Path

import cv2
import pytest

NOTEBOOK = Path(__file__).parents[2] / 'demo/track_a_video.ipynb'
NO_PYTORCH = """
import sys
assert not {'torch', 'mmengine', 'mmcv', 'mmdet'} & set(sys.modules)
"""


@pytest.fixture(scope='module')
def notebook():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def test_notebook_is_kept_without_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.slow
def test_notebook_goes_from_a_video_to_a_plot(notebook, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv('PYTHONPATH', str(NOTEBOOK.parents[1]))
    notebook.cells.append(nbformat.v4.new_code_cell(NO_PYTORCH))
    client = NotebookClient(notebook, timeout=300, resources={'metadata': {'path': str(tmp_path)}})
    client.execute()
    shown = [
        output
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'image/png' in output.get('data', {})
    ]
    assert len(shown) == 3
    texts = [o.text for cell in notebook.cells for o in cell.get('outputs', []) if 'text' in o]
    assert any('30 frames; lost in 0' in text for text in texts)
    out = tmp_path / 'work_dirs/notebook'
    assert {'coffee.mp4', 'plot.png', 'tracked.json', 'tracked.mp4'} == {
        path.name for path in out.iterdir()
    }
    assert cv2.imread(str(out / 'plot.png')).std() > 10
