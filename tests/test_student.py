"tools/student.py finds the exercises whose check lets something pass; a copy of the course never replaces a student's work"
import importlib.util, json, time
from copy import deepcopy
import pytest
from ruamel.yaml import YAML
from conftest import ROOT, notebook, tool
from l1g1000.lesson import start

EXERCISE = '''def share(found, right):
    "The share of right ones"
    ### BEGIN SOLUTION share
    hits = [a == b for a,b in zip(found, right)]

    return sum(hits)/len(hits)
    ### END SOLUTION'''
CHECK = "assert share([1, 2, 2, 2], answers) == .75\nassert share([0], [1]) == 0"
ANSWERS = dict(share=dict(
    wrong=[dict(why="a count", code="return sum(a == b for a,b in zip(found, right))"),
        dict(why="any", code="return float(any(a == b for a,b in zip(found, right)))"),
        dict(why="the wrong ones", code="bad = [a != b for a,b in zip(found, right)]\nreturn sum(bad)/len(bad)"),
        dict(why="the first alone", code="return float(found[0] == right[0])"), dict(why="how many there are", code="return float(len(found))")],
    right=[dict(why="a loop", code="n = 0\nfor a,b in zip(found, right): n += a == b\nreturn n/len(right)")]))

def course(tmp, *cells, answers=ANSWERS):
    "A course of one lesson"
    notebook(tmp/"00_small.ipynb", "# Small", *cells)
    (tmp/"answers").mkdir()
    if answers: YAML().dump(answers, tmp/"answers"/"00_small.yaml")
    return tmp

def check(tmp, *cells, **kw): return tool("student", "--course", course(tmp, *cells, **kw))

def test_a_good_exercise_passes(tmp_path):
    done = check(tmp_path, "answers = [1, 2, 3, 2]", "#| eval: false\n1/0", EXERCISE, CHECK, "1/0 # below the last exercise")
    assert done.returncode == 0 and done.stderr == ""
    assert "kill rate: 6/6 = 100.0%" in done.stdout
    assert "00_small share 1/1 5/5 2/2" in " ".join(done.stdout.split())

def test_an_answer_leaves_nothing_behind(tmp_path):
    cell = "### BEGIN SOLUTION grow\nseen.append(1)\n### END SOLUTION"
    wrong = [dict(why=str(i), code=f"seen.extend([1]*{i})") for i in range(2, 7)]
    assert check(tmp_path, "seen = []", cell, "assert len(seen) == 1", answers=dict(grow=dict(wrong=wrong))).returncode == 0

def test_any_error_of_the_check_refuses_an_answer_and_magics_work(tmp_path):
    top = ["%matplotlib inline\nimport matplotlib.pyplot as plt\nfrom IPython.display import HTML, display", "plt.plot([1, 2])\ndisplay(HTML('<b>bold</b>'))\nplt.show()", "%%time\nx = 1"]
    cell = "numbers = [3, 1, 2]\n### BEGIN SOLUTION find-it\n%time at = numbers.index(2)\n### END SOLUTION"
    wrong = [dict(why="off by one", code="at = numbers.index(2) + 1"), dict(why="a float", code="at = 2."), dict(why="not there", code="at = numbers.index(9)"), dict(why="the first", code="at = 0"), dict(why="the last but one", code="at = len(numbers)-2")]
    done = check(tmp_path, *top, cell, "assert numbers[at] == 2\nfrom asyncio import sleep\nawait sleep(.01)", answers={"find-it": dict(wrong=wrong)})
    assert done.returncode == 0 and "00_small find-it 1/1 5/5 1/1" in " ".join(done.stdout.split()), done.stderr
    assert "bold" not in done.stdout

def test_an_answer_has_a_time_limit():
    spec = importlib.util.spec_from_file_location("student", ROOT/"tools"/"student.py")
    spec.loader.exec_module(student := importlib.util.module_from_spec(spec))
    start = time.monotonic()
    with pytest.raises(ChildProcessError, match="not done after 0.2 s"): student.forked(time.sleep, 60, seconds=.2)
    assert time.monotonic() - start < 20

def replaced(kind, i, code):
    answers = deepcopy(ANSWERS)
    answers["share"][kind][i]["code"] = code
    return answers

@pytest.mark.parametrize("check_cell,answers,said", [
    ("assert share([1, 2, 2, 2], answers) > .7", ANSWERS, "wrong answer (a count): passes the check"),
    ("assert share", ANSWERS, "stub answer (nothing done): passes the check"),
    ("assert share([1, 2, 2, 2], answers) == .5", ANSWERS, "right answer (the solution): AssertionError"),
    (CHECK, replaced("right", 0, "return .75"), "right answer (a loop): AssertionError"),
    (CHECK, replaced("wrong", 1, "return hitz"), "a slip, not a misunderstanding"),
    (CHECK, replaced("wrong", 1, "return ("), "a slip, not a misunderstanding"),
    (CHECK, replaced("wrong", 1, "import os; os._exit(3)"), "its process ended early"),
], ids=range(7))
def test_a_check_that_errs_is_found(check_cell, answers, said, tmp_path):
    done = check(tmp_path, "answers = [1, 2, 3, 2]", EXERCISE, check_cell, answers=answers)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr

FEW = dict(share=dict(wrong=[ANSWERS["share"]["wrong"][0]]*5))
@pytest.mark.parametrize("cells,answers,said", [
    ([EXERCISE, CHECK], None, "can't read the wrong answers to share"),
    ([EXERCISE, CHECK], FEW, "share has 1 different wrong answers, fewer than 5"),
    ([EXERCISE, CHECK], ANSWERS | dict(other=FEW["share"]), "is about share, other; the lesson's exercises are share"),
    ([EXERCISE, CHECK], dict(share=dict(wrnog=[])), "Did you mean 'wrong'?"),
    ([EXERCISE.replace("SOLUTION share", "SOLUTION"), CHECK], ANSWERS, "needs a name of its own"),
    ([EXERCISE, CHECK]*2, ANSWERS, "needs a name of its own"),
    ([EXERCISE.replace("### END SOLUTION", ""), CHECK], ANSWERS, "one ### END SOLUTION below it"),
    ([EXERCISE, "share([1], [1])", CHECK], ANSWERS, "needs its check in the next code cell"),
    ([EXERCISE, "#| hide\n" + CHECK], ANSWERS, "asserts that a student can see"),
    ([EXERCISE], ANSWERS, "needs its check in the next code cell"),
    (["1/0", EXERCISE, CHECK], ANSWERS, "a cell above share fails: ZeroDivisionError"),
    (["1"], None, "no exercise was found"),
], ids=range(12))
def test_an_exercise_that_cannot_be_checked_is_an_error(cells, answers, said, tmp_path):
    done = check(tmp_path, *cells, answers=answers)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr

def test_no_lesson_is_an_error(tmp_path):
    done = tool("student", "--course", tmp_path)
    assert done.returncode == 1 and "no lesson in" in done.stderr

def test_students_get_the_lesson_without_solutions(tmp_path):
    lesson = course(tmp_path/"course", ("answers = [1, 2, 3, 2]", [dict(output_type="stream", text="here\n")]), EXERCISE, CHECK)/"00_small.ipynb"
    start(tmp_path/"mine", lesson.parent)
    assert {o.name for o in (tmp_path/"mine").iterdir()} == {"00_small.ipynb", "course.json"}
    old, new = (json.loads((d/"00_small.ipynb").read_text(encoding="utf-8")) for d in (lesson.parent, tmp_path/"mine"))
    given = "".join(new["cells"][2].pop("source"))
    assert given == 'def share(found, right):\n    "The share of right ones"\n    raise NotImplementedError("your turn")'
    del old["cells"][2]["source"]
    old["cells"][1]["outputs"] = []
    assert new == old

def test_a_students_work_is_not_replaced(tmp_path):
    lesson = course(tmp_path/"course", EXERCISE, CHECK)/"00_small.ipynb"
    notebook(lesson.with_name("01_more.ipynb"), "# More")
    notebook(tmp_path/"mine"/"01_more.ipynb", "# More", "my = 'work'")
    before = lesson.read_bytes(), (tmp_path/"mine"/"01_more.ipynb").read_bytes()
    for folder in (tmp_path/"mine", lesson.parent):
        with pytest.raises(ValueError, match="name another folder"): start(folder, lesson.parent)
    assert before == (lesson.read_bytes(), (tmp_path/"mine"/"01_more.ipynb").read_bytes()) and len(list((tmp_path/"mine").iterdir())) == 1
