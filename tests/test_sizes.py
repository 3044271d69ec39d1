"Modules, cells, signatures and notebooks stay small enough to read, and notebooks keep their outputs"
import ast, json
import pytest
from conftest import LESSONS, PAGES, ROOT, exported

MODULE, CELL, PARAMETERS, NOTEBOOK = 300, 30, 10, 300_000 # lines, lines, parameters, bytes

def parameters(fn):
    a = fn.args
    names = [o.arg for o in [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg] if o]
    return len(names) - (names[:1] in (["self"], ["cls"]))

def of_module(code):
    if (n := len(code.splitlines())) > MODULE: yield f"{n} lines, more than {MODULE}: split the page"

def of_cells(cells):
    for id,source in cells:
        n = len([o for o in source.strip().splitlines() if not o.startswith("#|")])
        if n > CELL: yield f"cell {id}: {n} lines, more than {CELL}: split it"
        for fn in ast.walk(ast.parse(source)):
            if isinstance(fn, (ast.FunctionDef, ast.AsyncFunctionDef)) and (n := parameters(fn)) > PARAMETERS:
                yield f"{fn.name}: {n} parameters, more than {PARAMETERS}: group them in a dataclass"

def of_notebook(raw):
    if len(raw) > NOTEBOOK: yield f"{len(raw):,} bytes, more than {NOTEBOOK:,}: make its pictures smaller"
    code = [c for c in json.loads(raw)["cells"] if c["cell_type"] == "code"]
    if code and not any(c["outputs"] for c in code): yield "no stored output: nbdev-test PAGE --save"

@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_and_its_module_are_small(page):
    module,cells = exported(page)
    code = (ROOT/"l1g1000"/f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert not [*of_module(code), *of_cells((c.id, c.source) for c in cells)]

@pytest.mark.parametrize("book", [*sorted(ROOT.glob("nbs/*.ipynb")), *LESSONS], ids=lambda p: p.stem)
def test_a_notebook_is_small_and_keeps_its_outputs(book): assert not list(of_notebook(book.read_bytes()))

def test_what_is_too_big_is_found():
    lines = "a = 1\n"
    assert not [*of_module(lines*300), *of_cells([("x", "#| export\n" + lines*30)])]
    assert [*of_module(lines*301), *of_cells([("x", "#| export\n" + lines*31)])] == [
        "301 lines, more than 300: split the page", "cell x: 31 lines, more than 30: split it"]
    def signature(n): return [("x", f"class A:\n    async def f(self, {', '.join(f'a{i}' for i in range(n-3))}, *b, c, **d): ...")]
    assert not list(of_cells(signature(10))) and list(of_cells(signature(11))) == ["f: 11 parameters, more than 10: group them in a dataclass"]
    def book(*outputs, source=""): return json.dumps(dict(cells=[dict(cell_type="code", source=source, outputs=list(o)) for o in outputs])).encode()
    assert not list(of_notebook(book([], [{}]))) and not list(of_notebook(book()))
    assert list(of_notebook(book([], []))) == ["no stored output: nbdev-test PAGE --save"]
    assert "more than 300,000" in next(of_notebook(book([{}], source="#"*300_000)))
