"The first lesson in JupyterLab, in a real browser: Run All, no error, a figure to look at"
import json, time
import pytest
from conftest import REPORT, ROOT, choose, notebook, opened, wait

LESSON = ROOT/"course"/"00_start.ipynb"

def run_all(browser, lab, name, seconds):
    "Open a notebook, Run All, save: what each prompt says, the errors that were stored, the number of figures to be seen"
    folder = lab[0]
    def code(): return [c for c in json.loads((folder/name).read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    with opened(browser, lab, name) as (page, finished):
        choose(page, "Run", "Run All Cells")
        prompts = finished(seconds)
        page.keyboard.press("Control+s")
        def saved(): return [c["execution_count"] for c in code()] == [int(n) if (n := o.strip("[]: ")) else None for o in prompts]
        wait(saved, 20, lambda: f"{name} was not saved as it ran: {prompts}")
        figures = page.evaluate("""() => [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea img')].filter(
            o => o.naturalWidth > 50 && o.getBoundingClientRect().width > 50 && getComputedStyle(o).visibility == 'visible').length""")
        page.screenshot(path=folder.parent/f"{name}.png")
        return prompts, [f"{o['ename']}: {o['evalue']}" for c in code() for o in c["outputs"] if o["output_type"] == "error"], figures

@pytest.mark.timeout(900)
def test_the_first_lesson_runs_in_jupyterlab(browser, lab):
    start = time.perf_counter()
    prompts, errors, figures = run_all(browser, lab, LESSON.name, 540)
    REPORT.append(f"course/00_start.ipynb in JupyterLab: {time.perf_counter() - start:.1f} s, {figures} figures")
    assert not errors and figures and "[ ]:" not in prompts

@pytest.mark.timeout(200)
def test_what_the_browser_shows_is_read(browser, lab):
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    notebook(lab[0]/"good.ipynb", "# Good", "import sys; print('a warning', file=sys.stderr)", "# far below\n" + "text\n\n"*200, figure)
    notebook(lab[0]/"bad.ipynb", "# Bad", "1 + 1", "1/0", figure)
    assert run_all(browser, lab, "good.ipynb", 60) == (["[1]:", "[2]:"], [], 1)
    assert run_all(browser, lab, "bad.ipynb", 60) == (["[1]:", "[2]:", "[ ]:"], ["ZeroDivisionError: division by zero"], 0)
