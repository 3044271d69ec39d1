"What the tests share: where the repository stands, one thread, no hub, no progress bars, a kernel of this Python"
import json, os, re, secrets, shutil, socket, subprocess, sys, time, urllib.request
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
import pytest

os.environ |= dict(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1") # before torch is imported

ROOT = Path(__file__).absolute().parents[1]
PAGES = sorted(ROOT.glob("nbs/[0-9]*.ipynb"))
LESSONS = sorted(ROOT.glob("course/[0-9]*.ipynb"))
TOKEN = secrets.token_hex(16) # of the JupyterLab that the tests start

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

def tool(name, *args, **kw):
    "Run one of tools/ and capture what it says"
    return subprocess.run([sys.executable, ROOT/"tools"/f"{name}.py", *map(str, args)], capture_output=True, text=True, **kw)

def notebook(path, *cells):
    "Write a notebook: Markdown where a cell starts with `#` and a space, else code; a pair holds code and its stored outputs"
    from nbformat import v4, write
    path.parent.mkdir(parents=True, exist_ok=True)
    def cell(o):
        if isinstance(o, tuple): return v4.new_code_cell(o[0], outputs=[v4.new_output(**k) for k in o[1]])
        return v4.new_markdown_cell(o) if o.startswith("# ") else v4.new_code_cell(o)
    kernelspec = dict(name="python3", display_name="Python 3", language="python")
    write(v4.new_notebook(cells=[cell(o) for o in cells], metadata=dict(kernelspec=kernelspec)), path)
    return path

@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    "An environment in which Jupyter's `python3` is this Python, whatever else is installed"
    from ipykernel.kernelspec import write_kernel_spec
    tmp = tmp_path_factory.mktemp("jupyter")
    write_kernel_spec(tmp/"data"/"kernels"/"python3")
    folders = dict(JUPYTER_PATH="data", JUPYTER_CONFIG_DIR="config", JUPYTER_DATA_DIR="own", JUPYTER_RUNTIME_DIR="run", IPYTHONDIR="ipython")
    env = {k: f"{tmp}/{v}" for k,v in folders.items()}
    with pytest.MonkeyPatch.context() as m:
        for k,v in env.items(): m.setenv(k, v)
        yield os.environ | env | dict(IN_TEST="1") # which keeps a page's last cell, nbdev_export(), from writing modules

@cache
def slowness(reference=.03, rounds=15):
    "How many times as slow as the machine for which the budgets were set, 1 to 4: a small convolution, forward and back, on one thread"
    import torch
    torch.set_num_threads(1)
    x = torch.randn(32, 16, 32, 32).contiguous(memory_format=torch.channels_last)
    net = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3, padding=1))
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        net(x).square().mean().backward()
        took.append(time.perf_counter()-start)
    times = min(4., max(1., sorted(took)[rounds//2]/reference))
    REPORT.append(f"this machine, at the start: {times:.1f} times as slow as the reference")
    return times

def slowest(nb, count=3):
    "Where the time of a run went: its slowest cells"
    when = lambda c, k: datetime.fromisoformat(c.metadata["execution"][k].replace("Z", "+00:00"))
    took = {c.id: (when(c, "shell.execute_reply")-when(c, "iopub.execute_input")).total_seconds() for c in nb.cells if {"shell.execute_reply", "iopub.execute_input"} <= set(c.metadata.get("execution", {}))}
    return f"cells {sum(took.values()):.0f} s: " + ", ".join(f"#{k} {v:.0f} s" for k,v in sorted(took.items(), key=lambda o: -o[1])[:count])

def run_notebook(path, env, seconds):
    "What is wrong with a notebook, run from a clean kernel in its folder: a line each; `seconds` is its budget, three times that, times `slowness`, the limit"
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbdev.config import get_config
    def shows(c): # a progress bar is shown by a live kernel only
        bar = "application/vnd.jupyter.widget-view+json"
        return [o for o in c.get("outputs", []) if o.get("name") == "stdout" or "data" in o and bar not in o.data]
    before, files, start = path.read_bytes(), set(path.parent.iterdir()), time.perf_counter()
    nb, stored = (nbformat.reads(before.decode(), as_version=4) for _ in range(2))
    skipped = re.compile(rf"^#\|\s*(eval:\s*false|{'|'.join(get_config().tst_flags.split())})\b", re.M)
    for c in nb.cells:
        if c.cell_type == "code" and skipped.search(c.source): c.metadata.tags = ["skip-execution"]
    limit = 3*seconds*slowness()
    client = NotebookClient(nb, timeout=int(limit), kernel_name="python3", resources=dict(metadata=dict(path=path.parent)))
    try: client.execute(env=env)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as e:
        i = next(i for i,c in reversed(list(enumerate(nb.cells))) if c.cell_type == "code" and c.metadata.get("execution"))
        yield f"{path.name}, cell {i} (#{nb.cells[i].id}):\n{e}"
        return
    REPORT.append(f"{path.relative_to(path.parents[1])}: {(took := time.perf_counter() - start):.1f} s of {seconds} s")
    if took > limit: yield f"took {took:.0f} s, more than three times its {seconds} s on a machine {slowness():.1f} times as slow as the reference; {slowest(nb)}"
    for c,old in zip(nb.cells, stored.cells):
        if shows(c) and not shows(old): yield f"cell #{c.id} shows something, and nothing is stored: nbdev-test {path.name} --save"
    yield from (f"cell #{c.id} ends in an error" for c in [*nb.cells, *stored.cells] if any(o.output_type == "error" for o in c.get("outputs", [])))
    if path.read_bytes() != before: yield "the run changed the notebook itself"
    left = [o for o in sorted(set(path.parent.iterdir()) - files) if (o.is_file() or o.is_dir()) and not o.name.startswith((".", "__pycache__"))]
    yield from (f"the run left {o.name} in {path.parent.name}/" for o in left)

@pytest.fixture(scope="session")
def browser():
    "Chromium, for the tests that look at a page as a reader does"
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as p:
        try: b = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except api.Error as e: pytest.skip(f"no Chromium to look at a page with ({str(e).splitlines()[0]}): playwright install chromium")
        yield b
        b.close()

@pytest.fixture(scope="session")
def lab(kernel, tmp_path_factory):
    "A JupyterLab server over a copy of the course: its folder and its address"
    folder, settings = tmp_path_factory.mktemp("lab")/"course", tmp_path_factory.mktemp("settings")
    shutil.copytree(ROOT/"course", folder)
    own = settings/"@jupyterlab"/"notebook-extension"/"tracker.jupyterlab-settings"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps(dict(windowingMode="none"))) # cells out of sight stay in the page
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    options = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.root_dir": folder, "ServerApp.open_browser": False, "ServerApp.allow_root": True,
        "LabApp.user_settings_dir": settings, "LabApp.workspaces_dir": settings/"workspaces",
        "LabApp.news_url": "", "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate"}
    with open(settings/"log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k,v in options.items())]
        server = subprocess.Popen(command, env=kernel | {"JUPYTER_TOKEN": TOKEN}, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: ask(url, "status") is not None, 60, lambda: f"JupyterLab did not start:\n{(settings/'log').read_text()[-2000:]}")
        yield folder, url
    finally:
        server.terminate()
        try: server.wait(20) # it ends its kernels
        except subprocess.TimeoutExpired: server.kill()

def ask(url, what):
    try:
        with urllib.request.urlopen(f"{url}/api/{what}?token={TOKEN}", timeout=5) as r: return json.load(r)
    except OSError: return None

def wait(done, seconds, said):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, said()
        time.sleep(.3)

@contextmanager
def opened(browser, lab, name):
    "A notebook in JupyterLab whose kernel answers: the page, and a function that waits until a run is over and gives its prompts"
    folder, url = lab
    with browser.new_context(viewport=dict(width=1280, height=1000)) as context:
        page = context.new_page()
        page.goto(f"{url}/lab/tree/{name}?token={TOKEN}")
        def idle():
            kernels = [s["kernel"] for s in ask(url, "sessions") or [] if s["path"] == name]
            return any(k["execution_state"] == "idle" and k["connections"] for k in kernels)
        def prompts(): return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt").all_text_contents()
        def ran(): return "[*]:" not in (now := prompts()) and set(now) != {"[ ]:"} and idle()
        def finished(seconds):
            wait(ran, seconds, lambda: f"not done after {seconds} s: {prompts()}")
            return prompts()
        wait(idle, 60, lambda: f"no kernel for {name}: {ask(url, 'sessions')}")
        yield page, finished

def choose(page, *menu):
    "Click through JupyterLab's menu"
    for o in menu: page.get_by_role("menuitem", name=o, exact=True).click()

LONGEST = ("test_killed_at_any_moment_the_chain_goes_on", "test_the_first_lesson_runs_in_jupyterlab", "test_exercises_tell_right_from_wrong", "test_a_full_disk_under_the_chain")

def pytest_collection_modifyitems(items): items.sort(key=lambda o: o.name not in LONGEST) # first, so that two workers end together

REPORT = [] # lines for the end of the run

def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"): session.config.workeroutput["report"] = REPORT # of two workers (`make test`), the one that runs this

@pytest.hookimpl(optionalhook=True) # known where pytest-xdist is installed
def pytest_testnodedown(node): REPORT.extend(getattr(node, "workeroutput", {}).get("report", []))

def pytest_terminal_summary(terminalreporter):
    if not REPORT: return
    terminalreporter.section("measured")
    for o in sorted(REPORT): terminalreporter.write_line(o)
