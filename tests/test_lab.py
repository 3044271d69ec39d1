"The first lesson in JupyterLab, in a real browser: Run All, no error, a figure to look at"
import json, shutil, socket, subprocess, sys, time, urllib.request
import pytest
from conftest import REPORT, ROOT, notebook

LESSON = ROOT/"course"/"00_start.ipynb"

@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as p:
        try: b = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except api.Error as e: pytest.skip(f"no Chromium to open JupyterLab in ({str(e).splitlines()[0]}): playwright install chromium")
        yield b
        b.close()

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
    options = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.root_dir": folder, "ServerApp.open_browser": False, "ServerApp.allow_root": True, "IdentityProvider.token": "",
        "LabApp.user_settings_dir": settings, "LabApp.workspaces_dir": settings/"workspaces", "LabApp.news_url": "", "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate"}
    with open(settings/"log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k,v in options.items())], env=kernel, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: ask(url, "status") is not None, 60, lambda: f"JupyterLab did not start:\n{(settings/'log').read_text()[-2000:]}")
        yield folder, url
    finally:
        server.terminate()
        server.wait(20)

def ask(url, what):
    try:
        with urllib.request.urlopen(f"{url}/api/{what}", timeout=5) as r: return json.load(r)
    except OSError: return None

def wait(done, seconds, said):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, said()
        time.sleep(.3)

def run_all(browser, lab, name, seconds):
    "Open a notebook, Run All, wait until every code cell has its number or one failed; give the page as a picture of facts"
    folder, url = lab
    code = [c for c in json.loads((folder/name).read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()]
    with browser.new_context(viewport=dict(width=1280, height=1000)) as context:
        page = context.new_page()
        page.goto(f"{url}/lab/tree/{name}")
        def idle(): return any(s["path"] == name and s["kernel"]["execution_state"] == "idle" and s["kernel"]["connections"] for s in ask(url, "sessions") or [])
        wait(idle, 60, lambda: f"no kernel for {name}: {ask(url, 'sessions')}")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        def read(): return page.evaluate("""() => {
            const own = [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell')];
            const seen = o => o.naturalWidth > 50 && o.getBoundingClientRect().width > 50 && getComputedStyle(o).visibility == 'visible';
            return {prompts: own.map(o => o.querySelector('.jp-InputPrompt').textContent), errors: own.map(o => o.querySelector('[data-mime-type*=error]')?.textContent).filter(o => o),
                figures: own.flatMap(o => [...o.querySelectorAll('.jp-OutputArea img')]).filter(seen).length}}""")
        page.wait_for_timeout(6000); page.screenshot(path=f'/tmp/{name}.png'); print(page.evaluate("[...document.querySelectorAll('.jp-OutputArea-output')].map(o => o.outerHTML.slice(0,300)).join(String.fromCharCode(10))"))
        wait(lambda: (got := read())["errors"] or sum(p.strip("[]: ").isdigit() for p in got["prompts"]) >= len(code), seconds, lambda: f"not every cell ran in {seconds} s: {read()['prompts']}")
        open('/tmp/dom.html','w').write(page.content())
        page.wait_for_timeout(1000) # the last pictures arrive after the number
        return read()

@pytest.mark.timeout(900)
def test_the_first_lesson_runs_in_jupyterlab(browser, lab):
    if not LESSON.is_file(): pytest.skip("course/00_start.ipynb does not exist yet")
    start = time.perf_counter()
    got = run_all(browser, lab, LESSON.name, 540)
    REPORT.append(f"course/00_start.ipynb in JupyterLab: {time.perf_counter() - start:.1f} s, {got['figures']} figures")
    assert not got["errors"] and got["figures"]

@pytest.mark.timeout(200)
def test_what_the_browser_shows_is_read(browser, lab):
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    notebook(lab[0]/"good.ipynb", "# Good", "1 + 1", "# far below\n" + "text\n\n"*200, figure)
    notebook(lab[0]/"bad.ipynb", "# Bad", "1 + 1", "1/0", figure)
    good, bad = (run_all(browser, lab, f"{name}.ipynb", 10) for name in ("good", "bad"))
    assert good["figures"] == 1 and not good["errors"] and good["prompts"] == ["[1]:", "[2]:"]
    assert not bad["figures"] and "ZeroDivisionError" in bad["errors"][0]
