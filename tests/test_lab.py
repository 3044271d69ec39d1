"The first lesson in JupyterLab, in a real browser: Run All, no error, a figure to look at"
import json, secrets, shutil, socket, subprocess, sys, time, urllib.request
import pytest
from conftest import REPORT, ROOT, notebook

LESSON, TOKEN = ROOT/"course"/"00_start.ipynb", secrets.token_hex(16)

@pytest.fixture(scope="module")
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

def run_all(browser, lab, name, seconds):
    "Open a notebook, Run All, save: what each prompt says, the errors that were stored, the number of figures to be seen"
    folder, url = lab
    def code(): return [c for c in json.loads((folder/name).read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    with browser.new_context(viewport=dict(width=1280, height=1000)) as context:
        page = context.new_page()
        page.goto(f"{url}/lab/tree/{name}?token={TOKEN}")
        def idle():
            kernels = [s["kernel"] for s in ask(url, "sessions") or [] if s["path"] == name]
            return any(k["execution_state"] == "idle" and k["connections"] for k in kernels)
        def prompts(): return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt").all_text_contents()
        def ran(): return "[*]:" not in (now := prompts()) and set(now) != {"[ ]:"} and idle()
        wait(idle, 60, lambda: f"no kernel for {name}: {ask(url, 'sessions')}")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        wait(ran, seconds, lambda: f"not done after {seconds} s: {prompts()}")
        page.keyboard.press("Control+s")
        def saved(): return [c["execution_count"] for c in code()] == [int(n) if (n := o.strip("[]: ")) else None for o in prompts()]
        wait(saved, 20, lambda: f"{name} was not saved as it ran: {prompts()}")
        figures = page.evaluate("""() => [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea img')].filter(
            o => o.naturalWidth > 50 && o.getBoundingClientRect().width > 50 && getComputedStyle(o).visibility == 'visible').length""")
        page.screenshot(path=folder.parent/f"{name}.png")
        return prompts(), [f"{o['ename']}: {o['evalue']}" for c in code() for o in c["outputs"] if o["output_type"] == "error"], figures

@pytest.mark.timeout(900)
def test_the_first_lesson_runs_in_jupyterlab(browser, lab):
    start = time.perf_counter()
    prompts, errors, figures = run_all(browser, lab, LESSON.name, 540)
    REPORT.append(f"course/00_start.ipynb in JupyterLab: {time.perf_counter() - start:.1f} s, {figures} figures")
    assert not errors and figures and "[ ]:" not in prompts

@pytest.mark.timeout(200)
def test_what_the_browser_shows_is_read(browser, lab):
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    notebook(lab[0]/"good.ipynb", "# Good", "import sys; print('a warning', file=sys.stderr)", "# far below\n" + "text\n\n"*200, figure)
    notebook(lab[0]/"bad.ipynb", "# Bad", "1 + 1", "1/0", figure)
    assert run_all(browser, lab, "good.ipynb", 60) == (["[1]:", "[2]:"], [], 1)
    assert run_all(browser, lab, "bad.ipynb", 60) == (["[1]:", "[2]:", "[ ]:"], ["ZeroDivisionError: division by zero"], 0)
