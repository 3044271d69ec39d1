"The names that users type stay: `python tests/test_api.py --update` accepts a change of tests/api.json"
import ast, json, subprocess, sys
import pytest
from conftest import REPORT, ROOT

FROZEN = ROOT/"tests"/"api.json"
HEAVY = ["torch", "numpy", "pandas"]

def names(path):
    "`__all__` of a module, without importing it"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__": return ast.literal_eval(node.value)
    raise ValueError(f"{path} has no __all__: export something from its page")

def commands(command, name="l1g1000"):
    "Command → what can be typed behind it, for the command and all below it"
    said = [[p.name.upper()] if p.param_type_name == "argument" else [*p.opts, *p.secondary_opts] for p in command.params]
    below = [commands(c, f"{name} {sub}") for sub,c in sorted(getattr(command, "commands", {}).items())]
    return {name: sorted(o for os in said for o in os)} | {k: v for o in below for k,v in o.items()}

def public():
    "All that can be typed: names of the package, of its modules, commands and their options"
    import l1g1000
    paths = {p.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): p for p in sorted(ROOT.glob("l1g1000/**/[a-z]*.py"))}
    out = {"package": sorted(l1g1000.__all__), "modules": {k: sorted(names(p)) for k,p in paths.items()}, "commands": {}}
    if "l1g1000.cli" in paths:
        import typer.main
        import l1g1000.cli # which fills it
        from l1g1000.command import app
        out["commands"] = commands(typer.main.get_command(app))
    return out

def changes(old, new):
    "One line for each name that came (+) or went (-)"
    def flat(api):
        named = {f"{k}: {o}" for part in ("modules", "commands") for k,os in api[part].items() for o in ["", *os]}
        return named | {f"package: {o}" for o in api["package"]}
    old,new = flat(old),flat(new)
    return sorted(f"- {o}" for o in old - new) + sorted(f"+ {o}" for o in new - old)

def test_public_names_are_frozen():
    assert changes(json.loads(FROZEN.read_text(encoding="utf-8")), public()) == [], "meant? python tests/test_api.py --update"

def test_each_name_of_the_package_is_made_by_a_page():
    import l1g1000
    for name in l1g1000.__all__: assert getattr(l1g1000, name).__module__.startswith("l1g1000.")

@pytest.mark.parametrize("module", [o for o in ("l1g1000", "l1g1000.cli") if o == "l1g1000" or (ROOT/"l1g1000"/"cli.py").is_file()])
def test_import_is_light(module):
    code = f"import sys, time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t); print(*[o for o in {HEAVY} if o in sys.modules])"
    seconds,heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")[:2]
    REPORT.append(f"import {module}: {float(seconds):.3f} s")
    assert heavy == "", f"import {module} loads {heavy}: import it inside the function that needs it"

def test_a_planted_change_is_named():
    import typer, typer.main
    app,sub = typer.Typer(),typer.Typer()
    @app.command()
    def train(data:str, steps:int = 1, fast:bool = False): ...
    @sub.command()
    def show(): ...
    @sub.command()
    def drop(): ...
    app.add_typer(sub, name="data")
    said = commands(typer.main.get_command(app))
    said.pop("l1g1000")
    assert said == {"l1g1000 data": [], "l1g1000 data drop": [], "l1g1000 data show": [], "l1g1000 train": ["--fast", "--no-fast", "--steps", "DATA"]}
    old = dict(package=["load"], modules={"l1g1000.core": ["home", "progress"]}, commands=said)
    new = dict(package=["load", "ask"], modules={"l1g1000.core": ["home"], "l1g1000.new": []}, commands=said | {"l1g1000 train": ["--steps", "DATA"]})
    assert changes(old, old) == []
    assert changes(old, new) == ["- l1g1000 train: --fast", "- l1g1000 train: --no-fast", "- l1g1000.core: progress", "+ l1g1000.new: ", "+ package: ask"]

if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]: sys.exit("usage: python tests/test_api.py --update")
    api = public()
    print(*(changes(json.loads(FROZEN.read_text(encoding="utf-8")), api) if FROZEN.is_file() else []) or ["no change"], sep="\n")
    FROZEN.write_text(json.dumps(api, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
