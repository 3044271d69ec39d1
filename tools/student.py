"""The proof that each exercise's check tells right answers from wrong ones

What stands between `### BEGIN SOLUTION name` and `### END SOLUTION` is the solution; the next code cell is its check. It must fail on the stub
and on five or more plausible wrong answers, with an assert or another error (not a `NameError` or `SyntaxError`: that is a slip in the yaml), and
pass on every right one. `course/answers/00_start.yaml` holds `name: {wrong: [{why: …, code: …}], right: […]}`; `code` replaces the solution.
Each answer runs in a fork of a process that has run the cells above; threads don't live on in a fork, so what starts some (an ONNX Runtime
session, a server) is made in the exercise or its check."""
import argparse, json, multiprocessing, os, re, sys, textwrap
from collections import namedtuple
from dataclasses import dataclass, field
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ruamel.yaml import YAML, YAMLError
from traitlets.config import Config
from l1g1000.config import from_dict
from l1g1000.lesson import SOLUTION, YOUR_TURN

SLIPS = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "TabError")
WRONG, SECONDS = 5, 60 # wrong answers that an exercise needs at least; time that an answer may take
Exercise = namedtuple("Exercise", "name at source solution check") # at: which code cell it is; source: all of that cell

@dataclass(frozen=True)
class Answer:
    code:str # What stands in place of the solution
    why:str # What is misunderstood in it; for a right one, in what it differs

@dataclass(frozen=True)
class Answers:
    wrong:list[Answer]
    right:list[Answer] = field(default_factory=list)

def code_cells(nb): return ["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code"]
def exercises(cells, lesson):
    "The exercises among a lesson's code cells; `ValueError` for one that could not be checked"
    found = []
    for i,(source,check) in enumerate(zip(cells, [*cells[1:], ""])):
        if not (marks := re.findall("### (?:BEGIN|END) SOLUTION", source)): continue
        where, m = f"{lesson}: the cell that starts {source.strip().splitlines()[0]!r}", SOLUTION.search(source)
        if len(marks) != 2 or not m: raise ValueError(f"{where} needs one line ### BEGIN SOLUTION name and one ### END SOLUTION below it")
        if not m[2] or m[2] in [e.name for e in found]: raise ValueError(f"{where} needs a name of its own: ### BEGIN SOLUTION name")
        if not re.search(r"\bassert\b|\btest_\w+\(", check) or re.search(r"^#\|\s*hide\b|### BEGIN", check, re.M):
            raise ValueError(f"{lesson}: exercise {m[2]} needs its check in the next code cell: asserts that a student can see")
        found.append(Exercise(m[2], i, source, textwrap.dedent(m[3]), check))
    return found

def read_answers(path, names):
    "Exercise → its `Answers`; `ValueError` when there are too few"
    try: data = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except (OSError, YAMLError) as e: raise ValueError(f"can't read the wrong answers to {', '.join(names)}: {' '.join(str(e).split())}") from e
    if set(data) != set(names): raise ValueError(f"{path} is about {', '.join(data) or 'nothing'}; the lesson's exercises are {', '.join(names)}")
    out = {name: from_dict(Answers, data[name]) for name in names}
    for name,o in out.items():
        if (n := len({a.code.strip() for a in o.wrong})) < WRONG: raise ValueError(f"{path}: {name} has {n} different wrong answers, fewer than {WRONG}")
    return out

class Shell(InteractiveShell):
    "Runs cells in this process, magics too"
    def enable_gui(self, gui=None): pass # for %matplotlib
    def errors(self, *cells):
        "For each cell the kind and text of the error that it ends with, else `None`"
        out = []
        for source in cells:
            with capture_output(): done = self.run_cell(source)
            e = done.error_before_exec or done.error_in_exec
            out.append(e and (type(e).__name__, " ".join(str(e).split())[:200]))
        return out

def forked(fn, *args, seconds=None):
    "What `fn` gives in a copy of this process, which is thrown away after; `ChildProcessError` when it gives nothing"
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: there.send(fn(*args)))
    child.start()
    there.close()
    try:
        if here.poll(seconds): return here.recv()
        raise ChildProcessError(f"not done after {seconds} s")
    except EOFError: raise ChildProcessError("its process ended early") from None
    finally:
        child.kill()
        child.join()

def judge(shell, ex, kind, code):
    "`None` when the check treats an answer as it should, else what it did"
    cell = SOLUTION.sub(lambda m: textwrap.indent(code.strip("\n"), m[1]), ex.source)
    try: ran,checked = forked(shell.errors, cell, ex.check, seconds=SECONDS)
    except ChildProcessError as e: return str(e)
    said = "; ".join(": ".join(o) for o in (ran, checked) if o) or "passes the check"
    if kind == "right": return said if ran or checked else None
    if kind == "wrong" and (ran or checked or [""])[0] in SLIPS: return f"{said} (a slip, not a misunderstanding: mend it in the yaml)"
    return None if checked else said

def check_lesson(path):
    "One row an exercise, and a line for everything that is wrong"
    cells = code_cells(json.loads(path.read_text(encoding="utf-8")))
    try: answers = read_answers(path.parent/"answers"/f"{path.stem}.yaml", [e.name for e in found]) if (found := exercises(cells, path.stem)) else {}
    except ValueError as e: return [], [str(e)]
    os.chdir(path.parent)
    shell, rows, bad = Shell.instance(config=Config(HistoryManager=dict(enabled=False))), [], []
    for done,ex in zip([0, *(e.at for e in found)], found):
        above = [o for o in cells[done:ex.at] if not re.search(r"^#\|\s*eval:\s*false", o, re.M)]
        if error := next(filter(None, shell.errors(*above)), None): return rows, [*bad, f"{path.stem}: a cell above {ex.name} fails: {': '.join(error)}"]
        tries = dict(stub=[Answer(YOUR_TURN, "nothing done")], wrong=answers[ex.name].wrong, right=[Answer(ex.solution, "the solution"), *answers[ex.name].right])
        said = [(kind, o.why, judge(shell, ex, kind, o.code)) for kind in tries for o in tries[kind]]
        bad += [f"{path.stem}, {ex.name}, {kind} answer ({why}): {wrong}" for kind,why,wrong in said if wrong]
        rows.append([path.stem, ex.name, *([not wrong for k,_,wrong in said if k == kind] for kind in tries)])
    return rows, bad

def check_lessons(lessons):
    "Print a row for every exercise and the kill rate; give a line for everything that is wrong"
    os.environ |= dict(OMP_NUM_THREADS="1", TQDM_DISABLE="1", MPLBACKEND="agg") # a forked process has one thread
    rows, bad, line = [], [], "{:<20} {:<20} {:>5} {:>6} {:>6}".format
    for path in lessons:
        try: got = forked(check_lesson, path)
        except ChildProcessError as e: got = [], [f"{path.stem}: {e}"]
        rows, bad = rows + got[0], bad + got[1]
    print(line("lesson", "exercise", "stub", "wrong", "right"))
    for lesson,name,*tries in rows: print(line(lesson, name, *(f"{sum(o)}/{len(o)}" for o in tries)))
    if refused := [o for r in rows for o in r[2] + r[3]]: print(f"kill rate: {sum(refused)}/{len(refused)} = {sum(refused)/len(refused):.1%}")
    return bad if rows or bad else ["no exercise was found: nothing was checked"]

if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--course", type=Path, default=Path(__file__).absolute().parents[1]/"course", help="the folder that holds the lessons")
    args = ask.parse_args()
    try:
        if not (lessons := sorted(args.course.absolute().glob("[0-9]*.ipynb"))): raise ValueError(f"no lesson in {args.course}: 00_start.ipynb or the like")
        if (bad := check_lessons(lessons)): raise ValueError("\n".join(bad))
    except ValueError as e: sys.exit(str(e))
