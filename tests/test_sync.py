"The modules are what the pages export, the notebooks are clean, the README is what its page shows"
import json, os, subprocess, sys
from pathlib import Path
import pytest
from conftest import LESSONS, PAGES, ROOT, checkout, exported

@pytest.fixture
def copy(tmp_path): return checkout(tmp_path/"copy")

def run(folder, *args):
    env = os.environ | {"JUPYTER_DATA_DIR": str(folder.parent/"jupyter")} # where nbdev-clean notes that it trusts a notebook
    return subprocess.run(args, cwd=folder, capture_output=True, text=True, env=env)

def nbdev(folder, command, *args):
    done = run(folder, Path(sys.executable).parent/f"nbdev-{command}", *args)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr

def stale(folder):
    "The files that export and clean change, make or remove"
    def state(): return {p.relative_to(folder).as_posix(): p.read_bytes() for ext in ("py", "ipynb") for p in folder.rglob(f"*.{ext}")}
    before = state()
    nbdev(folder, "clean")
    if LESSONS: nbdev(folder, "clean", "--fname", "course")
    nbdev(folder, "export")
    after = state()
    return sorted(k for k in before|after if before.get(k) != after.get(k))

def test_export_and_clean_leave_no_diff(copy):
    assert (copy/"l1g1000"/"core.py").is_file() and len(list(copy.glob("nbs/*.ipynb"))) >= len(PAGES)
    assert stale(copy) == [], "run nbdev-clean and nbdev-export (nbdev-clean --fname course for lessons)"

def test_a_planted_diff_is_found_and_outputs_survive(copy):
    module,page = copy/"l1g1000"/"config.py",copy/"nbs"/"00_core.ipynb"
    good = module.read_text(encoding="utf-8")
    module.write_text(good + "edited = 'by hand'\n", encoding="utf-8")
    nb = json.loads(page.read_text(encoding="utf-8"))
    ran = next(c for c in nb["cells"] if c["cell_type"] == "code")
    ran |= dict(execution_count=7, outputs=[dict(output_type="stream", name="stdout", text=["kept\n"])])
    page.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert stale(copy) == ["l1g1000/config.py", "nbs/00_core.ipynb"]
    assert module.read_text(encoding="utf-8") == good
    ran["execution_count"] = None
    assert json.loads(page.read_text(encoding="utf-8")) == nb

@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_cell_ids_lead_from_the_module_to_the_page(page):
    ids = [c["id"] for c in json.loads(page.read_text(encoding="utf-8"))["cells"]]
    assert len(set(ids)) == len(ids)
    module,cells = exported(page)
    code = (ROOT/"l1g1000"/f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert cells and [c.id for c in cells if f"{page.name} #{c.id}\n" not in code] == []

def test_readme_is_what_its_page_shows(copy):
    if not (copy/"nbs"/"index.ipynb").is_file(): pytest.skip("nbs/index.ipynb does not exist yet, so no README is made from it")
    done = run(copy, sys.executable, "tools/readme.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    with open(copy/"README.md", "a", encoding="utf-8") as f: f.write("A line typed by hand.\n")
    done = run(copy, sys.executable, "tools/readme.py", "--check")
    assert done.returncode != 0 and "Traceback" not in done.stderr, "a README edited by hand passes the check"

def test_cards_are_fresh():
    done = run(ROOT, sys.executable, "tools/cards.py", "--check")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}python tools/cards.py"
    card = run(ROOT, Path(sys.executable).parent/"l1g1000", "data", "--card")
    assert card.stdout == (ROOT/"data"/"moji.md").read_text(encoding="utf-8"), card.stderr
