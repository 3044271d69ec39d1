"A wheel of what git holds installs by itself, is light, and says the version that everything else says"
import os, subprocess, sys, sysconfig, venv, zipfile
from configparser import ConfigParser
from email.parser import Parser
import pytest
from ruamel.yaml import YAML
from conftest import LESSONS, ROOT, checkout

def settings():
    cfg = ConfigParser(delimiters=["="], interpolation=None)
    cfg.read(ROOT/"settings.ini", encoding="utf-8")
    return cfg["DEFAULT"]

def run(*args, **kw):
    env = {k: v for k,v in os.environ.items() if k != "PYTHONPATH"} | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(args, capture_output=True, text=True, env=env, **kw)
    assert done.returncode == 0, f"{args}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()

@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", checkout(tmp/"copy"), "--no-deps", "--no-build-isolation", "--wheel-dir", tmp)
    return next(tmp.glob("*.whl"))

@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    "The Python of a new environment with the wheel; the dependencies are lent by this one"
    home = tmp_path_factory.mktemp("empty")/"venv"
    venv.create(home)
    python = home/"bin"/"python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    # A plain path: the .pth files in it, that of the editable install among them, are not read.
    with open(os.path.join(site, "lent.pth"), "w") as f: f.write(sysconfig.get_path("purelib") + "\n")
    return python

def test_wheel_holds_what_it_should(wheel):
    assert wheel.stat().st_size <= 40e6
    with zipfile.ZipFile(wheel) as z:
        held = set(z.namelist())
        meta = Parser().parsestr(z.read(next(o for o in held if o.endswith(".dist-info/METADATA"))).decode())
        licence = z.read(next(o for o in held if o.endswith("/LICENSE"))).decode()
    assert licence == (ROOT/"LICENSE").read_text(encoding="utf-8")
    assert {p.relative_to(ROOT).as_posix() for p in ROOT.glob("l1g1000/**/*.py")} <= held
    checkpoint = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("l1g1000/[cr]*/**/*") if p.is_file() and p.parts[-2] != "__pycache__"}
    assert len(checkpoint) >= 11 and checkpoint <= held, "the checkpoint must be in the wheel"
    assert {f"l1g1000/lessons/{p.name}" for p in LESSONS} <= held
    assert "l1g1000/edge/gemv.c" in held, "build() compiles what the wheel brings"
    assert {o.split("/")[0] for o in held} == {"l1g1000", f"l1g1000-{settings()['version']}.dist-info"}
    extras = {k.removesuffix("_requirements") for k in settings() if k.endswith("_requirements")} | {"all"}
    assert set(meta.get_all("Provides-Extra")) == extras

def test_wheel_works_in_an_empty_environment(installed, tmp_path):
    code = "import sys, l1g1000; print(l1g1000.__file__); print(l1g1000.__version__); print(*{'torch', 'numpy'} & set(sys.modules))"
    where,version,heavy = (run(installed, "-c", code, cwd=tmp_path) + "\n").split("\n")[:3]
    assert where.startswith(str(installed.parents[1])), f"{where} is not the wheel's"
    assert version == settings()["version"] and heavy == ""
    assert "Usage: l1g1000" in run(installed.with_name("l1g1000"), "--help", cwd=tmp_path)

def test_the_version_is_the_same_everywhere():
    cite = YAML(typ="safe").load((ROOT/"CITATION.cff").read_text(encoding="utf-8"))
    version = settings()["version"]
    assert cite["version"] == version and cite["license"] == settings()["license"]
    assert f"## {version}" in (ROOT/"CHANGELOG.md").read_text(encoding="utf-8")
