"Every lesson runs from a clean kernel, and every exercise's check tells right answers from wrong ones"
import re
import pytest
from conftest import LESSONS, REPORT, run_notebook, tool

SECONDS = 180 # a lesson's budget, on two cores

@pytest.mark.timeout(900)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_lesson_runs(lesson, kernel):
    if wrong := "\n".join(run_notebook(lesson, kernel, SECONDS)): pytest.fail(wrong, pytrace=False)

@pytest.mark.timeout(1800)
def test_exercises_tell_right_from_wrong(kernel):
    done = tool("student", env=kernel)
    print(done.stdout)
    REPORT.extend(re.findall("kill rate.*", done.stdout))
    assert done.returncode == 0, done.stderr
