"The documentation builds without a warning, needs nothing from outside, and works in a browser"
import functools, http.server, importlib.util, json, os, subprocess, sys, threading
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit
import pytest
from conftest import ROOT, wait

BOOKS = {p: p.stem.split("_", 1)[-1] for p in sorted(ROOT.glob("nbs/*.ipynb"))} | {p: f"course/{p.stem}" for p in sorted(ROOT.glob("course/[0-9]*.ipynb"))}

def make_site(*args):
    return subprocess.run([sys.executable, ROOT/"tools"/"site.py", *map(str, args)], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

@pytest.fixture(scope="module")
def site(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("site")
    done = make_site("--out", tmp/"out", "--staged", tmp/"staged")
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp/"out"

class Tags(HTMLParser):
    "The tags of a page with their attributes, and its text"
    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.ids = {a["id"] for _,a in self.tags if "id" in a}

    def handle_starttag(self, tag, attrs): self.tags.append((tag, dict(attrs)))
    def handle_data(self, data): self.text += data

@pytest.fixture(scope="module")
def pages(site): return {p: Tags(p) for p in sorted(site.rglob("*.html"))}

def outputs(book): return [o for c in json.loads(book.read_text(encoding="utf-8"))["cells"] for o in c.get("outputs", []) if "#| hide\n" not in "".join(c["source"])]

@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_every_notebook_is_a_page(book, site, pages):
    page = site/f"{BOOKS[book]}.html"
    pictures = sum(any(k.startswith("image/") for k in o.get("data", {})) for o in outputs(book))
    shown = sum(t == "img" and "_images" in a.get("src", "") for t,a in pages[page].tags)
    assert shown >= pictures, f"{pictures} pictures are stored, {shown} are shown"
    links = [a.get("href") for t,a in pages[page].tags if t == "a"]
    assert any(o and o.endswith(f"/blob/main/{book.relative_to(ROOT).as_posix()}") for o in links), "no link to the notebook"
    assert not [o for o in ("nbdev.nbdev_export()", "#| ", "### BEGIN SOLUTION") if o in pages[page].text], "a hidden cell or a directive shows"

def test_nothing_comes_from_outside(site, pages):
    loads = [(p.name, a[k]) for p,tags in pages.items() for t,a in tags.tags for k in ("src", "href", "srcset", "data") if k in a and t not in ("a", "base")]
    assert len(loads) > 100
    assert not [o for o in loads if urlsplit(o[1]).scheme in ("http", "https") or o[1].startswith("//")]
    css = "".join(p.read_text(encoding="utf-8") for p in site.rglob("*.css"))
    assert "url(http" not in css.replace('"', "").replace("'", "") and "url(//" not in css

def test_links_inside_the_site_resolve(site, pages):
    broken, seen = [], 0
    for page,tags in pages.items():
        for tag,a in tags.tags:
            url = urlsplit(a.get("href") or a.get("src") or "")
            if url.scheme or url.netloc or not (url.path or url.fragment): continue
            target = (page.parent/unquote(url.path)).resolve() if url.path else page
            seen += 1
            if not target.is_file(): broken.append((page.name, url.path))
            elif tag == "a" and url.fragment and target in pages and unquote(url.fragment) not in pages[target].ids: broken.append((page.name, url.geturl()))
    assert seen > 100 and not broken

def test_a_solution_is_folded_below_what_the_student_gets():
    spec = importlib.util.spec_from_file_location("make_site", ROOT/"tools"/"site.py")
    spec.loader.exec_module(make := importlib.util.module_from_spec(spec))
    from fastcore.nbio import mk_cell, new_nb
    source = 'def twice(x):\n    "2x"\n    ### BEGIN SOLUTION\n    y = 2*x\n    return y\n    ### END SOLUTION\n\nassert twice(2) == 4'
    (todo := make.NBProcessor(nb=new_nb([mk_cell(source, metadata={}, outputs=[], id="a"), mk_cell("1 + 1", metadata={}, outputs=[], id="b")]), procs=[make.Solutions])).process()
    stub, solved, other = todo.nb.cells
    assert stub.source == 'def twice(x):\n    "2x"\n    raise NotImplementedError("your turn")\n\nassert twice(2) == 4'
    assert solved.source == 'def twice(x):\n    "2x"\n    y = 2*x\n    return y\n\nassert twice(2) == 4' and solved.metadata["tags"] == ["hide-input"]
    assert other.source == "1 + 1" and "tags" not in other.metadata

def test_a_folder_of_yours_is_not_replaced(tmp_path):
    (tmp_path/"mine").mkdir()
    (tmp_path/"mine"/"letter.txt").write_text("dear")
    done = make_site("--out", tmp_path/"mine", "--staged", tmp_path/"staged")
    assert done.returncode == 1 and "name another folder" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path/"mine"/"letter.txt").read_text() == "dear"

# --- In a browser

@pytest.fixture(params=["file", "http"])
def base(request, site):
    if request.param == "file":
        yield site.as_uri()
        return
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()

@pytest.fixture
def tab(browser, base):
    "A phone-sized dark page that remembers what went wrong and what it asked for"
    with browser.new_context(viewport=dict(width=390, height=844), color_scheme="dark") as context:
        page = context.new_page()
        page.wrong, page.asked, page.done = [], [], []
        page.on("console", lambda m: page.wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: page.wrong.append(str(e)))
        page.on("requestfailed", lambda r: page.wrong.append(f"{r.url}: {r.failure}"))
        page.on("request", lambda r: page.asked.append(r.url))
        for how in ("requestfinished", "requestfailed"): page.on(how, lambda r: page.done.append(r.url))
        yield page

def test_search_finds_a_name(tab, base):
    tab.goto(f"{base}/search.html?q=write_atomic")
    tab.locator("ul.search li a[href*='core.html']", has_text="write_atomic").wait_for(timeout=10_000)
    tab.wait_for_load_state("networkidle") # the excerpts
    assert not tab.wrong

def test_every_page_fits_a_phone_and_is_quiet(tab, base, site):
    for path in sorted(site.rglob("*.html")):
        tab.goto(f"{base}/{path.relative_to(site).as_posix()}", wait_until="load")
        if tab.query_selector(".math"): tab.wait_for_function("document.querySelectorAll('mjx-container').length >= document.querySelectorAll('.math').length")
        wide = tab.evaluate("[...document.querySelectorAll('html, body, .bd-article-container, .bd-article')].filter(o => o.scrollWidth > innerWidth).map(o => o.className)")
        wait(lambda: tab.wait_for_timeout(5) or len(tab.done) == len(tab.asked), 10, lambda: f"{path.name} still waits for {set(tab.asked)-set(tab.done)}") # going on would abort a picture on its way
        assert not wide, f"{path.name} scrolls sideways: {wide}" # a table or a code cell may, by itself
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        pale = tab.evaluate("[...document.querySelectorAll('.cell_output img')].filter(o => getComputedStyle(o).filter != 'none' || !o.naturalWidth).length")
        assert not pale, f"{path.name}: {pale} pictures are missing or change colour in dark mode"
    assert not tab.wrong and tab.asked
    assert not [o for o in tab.asked if not o.startswith((base, "data:", "blob:"))]
