"Every public function, class, method, parameter and result says what it is"
import ast, dataclasses, importlib, inspect, textwrap, tokenize
from enum import Enum
from functools import cached_property
from io import StringIO
import pytest
from fastcore.docments import docments
from conftest import PAGES, exported

def result_comment(fn):
    "The comment behind the colon that ends a signature without `->`; `None` where there is none"
    depth, ended = 0, False
    for tok in tokenize.generate_tokens(StringIO(textwrap.dedent(inspect.getsource(fn))).readline):
        if ended: return tok.string if tok.type == tokenize.COMMENT else None
        if tok.type != tokenize.OP: continue
        depth += (tok.string in "([{") - (tok.string in ")]}")
        ended = tok.string == ":" and depth == 0

def gives(fn):
    "Does the function itself return or yield something?"
    todo = list(ast.parse(textwrap.dedent(inspect.getsource(fn))).body[0].body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)): continue
        if isinstance(node, (ast.Yield, ast.YieldFrom)) or isinstance(node, ast.Return) and node.value is not None: return True
        todo += ast.iter_child_nodes(node)
    return False

def of_function(fn, name, doc=True):
    fn = inspect.unwrap(fn)
    if doc and not fn.__doc__: yield f"{name}: no docstring"
    docs = docments(fn, full=True, args_kwargs=True)
    result = docs.pop("return")
    yield from (f"{name}: no docment for {k}" for k,v in docs.items() if k not in ("self", "cls") and not v.docment)
    if not doc or result.anno in (None, "None", type(None)) or result.docment: return
    if result.anno is not inspect.Parameter.empty or gives(fn) and not result_comment(fn): yield f"{name}: no docment for what it returns"

def of_class(cls, name):
    own = cls.__dict__.get("__doc__")
    if not own or own == "An enumeration." or dataclasses.is_dataclass(cls) and own.startswith(f"{cls.__name__}("): yield f"{name}: no docstring"
    if getattr(cls, "_is_protocol", False): return
    if dataclasses.is_dataclass(cls):
        said = {k for c in cls.__mro__ if dataclasses.is_dataclass(c) for k,v in docments(c).items() if v}
        yield from (f"{name}: no docment for {f.name}" for f in dataclasses.fields(cls) if f.init and f.name not in said)
    elif "__init__" in vars(cls) and not issubclass(cls, Enum): yield from of_function(cls.__init__, name, doc=False)
    for k,v in vars(cls).items():
        fn = v.fget if isinstance(v, property) else v.func if isinstance(v, cached_property) else getattr(v, "__func__", v)
        if not k.startswith("_") and inspect.isfunction(inspect.unwrap(fn)): yield from of_function(fn, f"{name}.{k}")

def undocumented(module):
    "What a module's public names leave unsaid"
    for name in module.__all__:
        obj = getattr(module, name)
        if getattr(obj, "__module__", None) != module.__name__: continue # a constant, or somebody else's
        where = f"{module.__name__}.{name}"
        if inspect.isclass(obj): yield from of_class(obj, where)
        elif inspect.isfunction(inspect.unwrap(obj)): yield from of_function(obj, where)

@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_everything_public_is_documented(page):
    module = importlib.import_module(f"l1g1000.{exported(page)[0]}")
    assert module.__all__ and not list(undocumented(module))

PLANTED = '''
import contextlib
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol
__all__ = ["good", "silent", "pair", "rest", "bare", "told", "kept", "timed", "Box", "Plain", "Talk", "Heir"]

def good(
    a:int, # A number
    *more:str, # Words
    **named, # Anything
) -> int: # The number
    "Says it all"
    def inner(b): return b
    return a

def silent(
    a:int, # A number
): # The number
    return a

def pair(
    a, b, # Two on one line
) -> None:
    "Only the second has a docment"

def rest(*args, **kwargs) -> None:
    "Neither has one"

def bare(
    a:dict[str, int]={"a": 1}, # A number
):
    "Gives something that nobody describes"
    return a # The number

def told(): # The number
    "A comment behind the colon will do"
    return 1

@lru_cache
def kept(a) -> int: # The number
    "Decorated"

@contextlib.contextmanager
def timed():
    "Yields what nobody describes"
    yield 1

@dataclass
class Box:
    width:int # In mm
    height:int
    @property
    def area(self) -> int: return self.width*self.height
    def _hidden(self, a): return a

@dataclass
class Heir(Box):
    "Fields of the parent are described there"
    depth:int = 1 # In mm

class Plain:
    "A class"
    def __init__(self, a): self.a = a
    @classmethod
    def make(
        cls,
        a, # A number
    ) -> "Plain": # A new one
        "Make one"
        return cls(a)
    @staticmethod
    def help(b) -> None: "Help"
    def __len__(self): return 1

class Talk(Protocol):
    "A protocol's methods are described by its docstring"
    def say(self, text): ...
'''

def test_planted_gaps_are_found(tmp_path, monkeypatch):
    (tmp_path/"planted_gaps.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    found = [o.removeprefix("planted_gaps.") for o in undocumented(importlib.import_module("planted_gaps"))]
    assert found == ["silent: no docstring", "pair: no docment for a", "rest: no docment for args", "rest: no docment for kwargs",
        "bare: no docment for what it returns", "kept: no docment for a", "timed: no docment for what it returns",
        "Box: no docstring", "Box: no docment for height", "Box.area: no docstring", "Box.area: no docment for what it returns",
        "Plain: no docment for a", "Plain.help: no docment for b", "Heir: no docment for height"]
