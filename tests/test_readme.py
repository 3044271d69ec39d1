"What README.md tells people to type works, and tools/readme.py makes it out of its page"
import base64, re, subprocess, sys
import pytest
from conftest import ROOT, notebook, tool

def blocks(text, kind): return [m[2] for m in re.finditer(rf"^(`{{3,}}){kind}\n(.*?)^\1$", text, re.M|re.S)]

def targets(text):
    "The make targets that code in a text names, in a block or between backticks"
    code = "\n".join([*blocks(text, "(?:sh|bash|console|)"), *re.findall(r"`(make [^`\n]+)`", text)])
    return set(re.findall(r"^\s*(?:\$ )?make (?:[A-Z]+=\S+ )*([a-z.][\w./-]*)", code, re.M))

def defined(): return set(re.findall(r"^([a-z.][\w./-]*):", (ROOT/"Makefile").read_text(encoding="utf-8"), re.M))

def run_blocks(text, folder):
    "Run the Python blocks of a text, in order, in one namespace; give the number of blocks and the finished process"
    found = blocks(text, "python")
    script = folder/"readme.py"
    script.write_text("\n".join(found), encoding="utf-8")
    return len(found), subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True)

@pytest.fixture
def readme(): return (ROOT/"README.md").read_text(encoding="utf-8")

@pytest.mark.timeout(300)
def test_python_in_the_readme_runs(readme, tmp_path):
    n,done = run_blocks(readme, tmp_path)
    assert n, "the README shows no Python"
    assert done.returncode == 0, done.stderr

def test_the_readme_names_the_two_commands(readme): assert {"run", "test"} <= targets(readme)

@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(name):
    assert {"run", "test", "lab", "site", "bench", "lock", "clean"} <= defined()
    assert targets((ROOT/name).read_text(encoding="utf-8")) - defined() == set()

def test_links_of_the_documents_lead_somewhere():
    links = [(p.name, to) for p in ROOT.glob("*.md") for to in re.findall(r"\]\(([^)#\s]+)", p.read_text(encoding="utf-8")) if ":" not in to]
    assert [o for o in links if not (ROOT/o[1]).exists()] == []

def test_what_a_text_says_is_read(tmp_path):
    text = "```python\nx = 1\n```\n\nor `make lab` and make do\n\n```sh\n$ make PYTHON=python3.11 run\ncd x && true\n```\n\n"
    text += "````python\ny = '''\n```'''\nassert x == 1\n````\n"
    assert blocks(text, "python") == ["x = 1\n", "y = '''\n```'''\nassert x == 1\n"]
    assert targets(text) == {"lab", "run"}
    assert run_blocks(text, tmp_path)[1].returncode == 0
    n,done = run_blocks(text.replace("x == 1", "x == 2"), tmp_path)
    assert n == 2 and done.returncode == 1 and "AssertionError" in done.stderr

def test_a_page_becomes_a_readme(tmp_path):
    stderr, stdout = (dict(output_type="stream", name=k, text=v) for k,v in (("stderr", "bar\n"), ("stdout", "\x1b[1mone\x1b[0m\n")))
    figure = dict(output_type="display_data", data={"image/png": base64.b64encode(b"picture").decode(), "text/plain": "<Figure>"})
    two = dict(output_type="execute_result", data={"text/plain": "2"})
    page = notebook(tmp_path/"nbs"/"index.ipynb",
        "# Title\n\nSee [core](00_core.ipynb), [the licence](../LICENSE), [a site](https://example.org/a) and [below](#below).",
        "#| hide\nsecret = 1", ("%matplotlib inline\nprint('one')", [stderr, stdout, figure]), ("1 + 1", [two]))
    for p in ("LICENSE", "nbs/00_core.ipynb"): (tmp_path/p).touch()
    def readme(*args): return tool("readme", "--root", tmp_path, *args)
    assert readme("--check").returncode == 1
    assert readme().returncode == 0 and readme("--check").returncode == 0
    [picture] = (tmp_path/"docs"/"readme").iterdir()
    text = (tmp_path/"README.md").read_text(encoding="utf-8")
    assert picture.read_bytes() == b"picture" and f"![Figure](docs/readme/{picture.name})" in text
    assert "# Title\n\nSee [core](nbs/00_core.ipynb), [the licence](LICENSE), [a site](https://example.org/a) and [below](#below)." in text
    assert "```python\nprint('one')\n```\n\n```text\none\n```\n\n![" in text and text.endswith("```python\n1 + 1\n```\n\n```text\n2\n```\n")
    assert not [o for o in ("secret", "bar", "matplotlib", "\x1b") if o in text]
    picture.write_bytes(b"other")
    assert readme("--check").returncode == 1 and readme().returncode == 0
    notebook(page, "# Title")
    done = readme("--check")
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1 and f"docs/readme/{picture.name}" in done.stderr
    assert readme().returncode == 0 and not picture.exists()
    notebook(page, "no title")
    assert readme("--check").returncode == 1 and readme().returncode == 1
