"What the tests share: where the repository stands, one thread, no hub, no progress bars"
import os, shutil, subprocess
from pathlib import Path
import pytest

os.environ |= dict(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1") # before torch is imported

ROOT = Path(__file__).absolute().parents[1]
PAGES = sorted(ROOT.glob("nbs/[0-9]*.ipynb"))
LESSONS = sorted(ROOT.glob("course/[0-9]*.ipynb"))

def exported(page):
    "The module that a page makes, and the code cells that go into it"
    from nbdev.export import ExportModuleProc
    from nbdev.process import NBProcessor
    out = ExportModuleProc()
    NBProcessor(page, out).process()
    assert set(out.modules) <= {"#"}, f"{page.name} exports into {set(out.modules) - {'#'}}: one page makes one module"
    return out.default_exp, [o for o in out.modules["#"] if o.cell_type == "code"]

def checkout(to):
    "Copy what a commit of the working tree would hold: tracked files, and new ones that are not ignored"
    seen = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if seen.returncode: pytest.skip(f"not a git checkout, so its files can't be listed: {seen.stderr.strip()}")
    for name in filter(None, seen.stdout.split("\0")):
        if not (ROOT/name).is_file(): continue # deleted, and not committed yet
        (to/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, to/name)
    return to
