"Every page of the library runs from a clean kernel; what it shows is stored in it"
import sys
import pytest
from conftest import PAGES, notebook, run_notebook, slowest

SECONDS = 40 # a page's budget, on two cores

@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page_runs(page, kernel):
    if wrong := "\n".join(run_notebook(page, kernel, SECONDS)): pytest.fail(wrong, pytrace=False)

def test_a_sound_page_passes(tmp_path, kernel):
    stdout = [dict(output_type="stream", name="stdout", text="1\n")]
    python = f"import os, sys\nfrom pathlib import Path\nassert os.path.samefile(sys.executable, {sys.executable!r})"
    place = f"assert Path.cwd() == Path({str(tmp_path/'nbs')!r}) and os.environ['OMP_NUM_THREADS'] == '1'"
    page = notebook(tmp_path/"nbs"/"00_sound.ipynb", "# Sound", python, place, "#| eval: false\n1/0", "#| slow\n1/0", ("print(1)", stdout))
    assert not list(run_notebook(page, kernel, 10))

def test_what_is_wrong_with_a_page_is_said(tmp_path, kernel):
    error = dict(output_type="error", ename="E", evalue="", traceback=[])
    vandal = "from pathlib import Path\nPath('left').touch()\nwith open('00_wrong.ipynb', 'a') as f: f.write(' ')"
    page = notebook(tmp_path/"nbs"/"00_wrong.ipynb", "print(1)", vandal, ("1", [error]))
    first, second, third, *rest = run_notebook(page, kernel, 10)
    assert "nothing is stored" in first and "nothing is stored" in second and "ends in an error" in third
    assert rest == ["the run changed the notebook itself", "the run left left in nbs/"]

def test_a_slow_page_says_where_its_time_went(tmp_path, kernel):
    import nbformat
    from nbclient import NotebookClient
    nb = nbformat.read(notebook(tmp_path/"nbs"/"00_slow.ipynb", "1", "import time; time.sleep(1.2)"), 4)
    NotebookClient(nb, timeout=60, kernel_name="python3", resources=dict(metadata=dict(path=tmp_path/"nbs"))).execute(env=kernel)
    assert f", #{nb.cells[0].id} 0 s" in slowest(nb) and f": #{nb.cells[1].id} 1 s" in slowest(nb)

@pytest.mark.parametrize("cell,said", [
    ("x = 1\nassert x == 2, 'not two'", "not two"),
    ("import os, time; time.sleep(1); os._exit(3)", "died"),
    ("import time; time.sleep(60)", "timed out"),
])
def test_a_failing_cell_is_named(cell, said, tmp_path, kernel):
    page = notebook(tmp_path/"nbs"/"00_fails.ipynb", "# Fails", "1", cell, "2")
    [line] = run_notebook(page, kernel, 1)
    assert line.startswith("00_fails.ipynb, cell 2 (#") and said in line
