"Page numbers are the order of imports, and the rooms on floors 5 to 8 are islands"
import ast
from functools import lru_cache
import pytest
from conftest import PAGES, ROOT, exported

def imports(source, module):
    "Every dotted name that the code imports from l1g1000, also inside functions"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["l1g1000", *module.split(".")][:-node.level] if node.level else []
            names = [".".join([*above, *filter(None, [node.module]), a.name]) for a in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [a.value for a in node.args[:1] if isinstance(a, ast.Constant)]
        else: continue
        yield from (o for o in names if o.split(".")[0] == "l1g1000")

def violations(pages):
    "What is wrong with `pages`: module → (number, source)"
    for module,(n,source) in pages.items():
        for name in sorted(set(imports(source, module))):
            if name == "l1g1000.__version__": continue
            parts = name.split(".")[1:]
            target = next((t for i in range(len(parts), 0, -1) if (t := ".".join(parts[:i])) in pages), None)
            if target is None:
                if n < 90: yield f"{module} imports {name}: take it from the page that makes it"
                continue
            m = pages[target][0]
            if m >= n: yield f"{module} (page {n:02}) imports {target} (page {m:02}), which stands above it"
            elif n < 90 and m >= 50 and target.split(".")[0] != module.split(".")[0]:
                yield f"{module} imports {target}: rooms on floors 5 to 8 meet through the protocols in core"

@lru_cache
def house():
    out = {}
    for p in PAGES:
        module,cells = exported(p)
        assert p.stem[2:] == f"_{module}", f"{p.name} makes {module}: name the page NN_{module}.ipynb"
        assert module not in out, f"two pages make {module}"
        out[module] = int(p.stem[:2]),"\n".join(c.source for c in cells)
    return out

def test_numbers_are_the_order_of_imports():
    assert len({n for n,_ in house().values()}) == len(PAGES), "two pages share a number"
    assert [n for _,s in house().values() for n in imports(s, "")], "no import was found: the checker is blind"
    assert not list(violations(house()))

def test_every_module_has_a_page():
    code = {o.relative_to(ROOT/"l1g1000").with_suffix("").as_posix().replace("/", ".") for o in ROOT.glob("l1g1000/**/*.py")
        if o.name not in ("__init__.py", "__main__.py", "_modidx.py")}
    assert code == set(house())
    assert not [o for o in ROOT.glob("l1g1000/*/**/__init__.py") if o.read_text().strip()], "a room's __init__.py is empty: pages hold the code"

@pytest.mark.parametrize("module,n,line,wrong", [
    ("data.moji", 11, "from l1g1000.core import home", None),
    ("data.moji", 11, "def f():\n    from l1g1000.model.parts import Norm", "stands above"),
    ("data.moji", 11, "from ..model import parts", "stands above"),
    ("data.moji", 11, "import l1g1000.data.moji", "stands above"),
    ("data.moji", 11, "import importlib; importlib.import_module('l1g1000.claims')", "stands above"),
    ("data.moji", 11, "from l1g1000 import load", "from the page that makes it"),
    ("serve.rest", 82, "from l1g1000.model.parts import Norm\nfrom l1g1000.serve.batcher import Batcher", None),
    ("serve.rest", 82, "from l1g1000.quant.ort import session", "meet through the protocols"),
    ("model.hub", 37, "from l1g1000.quant.ort import session", "stands above"),
    ("claims", 91, "from l1g1000.quant.ort import session\nfrom l1g1000.serve.batcher import Batcher\nfrom l1g1000 import load", None),
])
def test_a_planted_import_is_judged(module, n, line, wrong):
    pages = {"core": (0, ""), "model.parts": (31, ""), "quant.ort": (71, ""), "serve.batcher": (80, ""), "claims": (91, "")} | {module: (n, line)}
    found = list(violations(pages))
    assert found == [] if wrong is None else len(found) == 1 and wrong in found[0]
