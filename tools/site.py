"Build the documentation out of nbs/ and course/. Stored outputs are shown; no notebook is run."
import importlib, inspect, os, re, shutil, subprocess, sys, tarfile, tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastcore.docments import DocmentTbl
from fastcore.nbio import md_frontmatter, mk_cell, read_nb, write_nb
from fastcore.script import call_parse
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.process import NBProcessor, Processor
from nbdev.processors import clean_magics, filter_stream_, hide_, hide_line, rm_header_dash, strip_ansi
from l1g1000.core import home, progress, sha256_file, write_atomic, write_json
from l1g1000.lesson import stub
from l1g1000.data.sources import npm_command

ROOT = Path(__file__).absolute().parents[1]

MATHJAX = "3.2.2", "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"}

@dataclass(frozen=True)
class Page:
    "A notebook and its place on the site"
    src:str # Path in the repository: `"nbs/11_data.moji.ipynb"`
    doc:str # Name on the site, which `_modidx.py` and the modules' docstrings use too: `"data.moji"`
    module:str # What it exports to: `"l1g1000.data.moji"`, or `""`
    title:str # Its H1
    promise:str # The `>` line below the H1
    room:str # The heading that it stands under in the library: `"Data"`; `""` for a lesson

def read_page(path):
    "Look up a notebook's title, promise and module"
    src, nb = path.relative_to(ROOT).as_posix(), read_nb(path)
    meta = next((m for c in nb.cells if c.cell_type == "markdown" and (m := md_frontmatter(c.source))), {})
    if "title" not in meta: raise ValueError(f"{src} has no title: start its first markdown cell with '# Title', then '> one-line promise'")
    module = next((c.directives["default_exp"] for c in nb.cells if c.cell_type == "code" and "default_exp" in c.directives), "")
    lesson, name = src.startswith("course/"), re.sub(r"^\d+_", "", path.stem)
    room = "" if lesson else name.split(".")[0].capitalize() if "." in name else "Ground floor" if path.stem < "1" else "Top floor"
    return Page(src, f"course/{path.stem}" if lesson else name, module and f"l1g1000.{module}", meta["title"], meta.get("description", ""), room)

# --- What happens to the cells

def default_exp_(cell, *_): del cell["source"]
def drop_empty(cell):
    if not cell.source.strip(): del cell["source"]

class Solutions(Processor):
    "The student's cell, then the solved cell, folded"
    def begin(self):
        old, self.nb.cells = self.nb.cells, []
        for c in old:
            if c.cell_type == "code" and "### BEGIN SOLUTION" in c.source:
                self.nb.cells.append(mk_cell(stub(c.source), metadata={}, outputs=[], execution_count=None, id=f"{c.id}-stub"))
                c.source = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION[^\n]*\n?", "", c.source, flags=re.M)
                c.metadata["tags"] = [*c.metadata.get("tags", []), "hide-input"]
                c.metadata["mystnb"] = dict(code_prompt_show="Show a solution", code_prompt_hide="Hide the solution")
            self.nb.cells.append(c)

class Links(NbdevLookup):
    "Turns `name` in prose into a link to its entry under API; a plain word such as `code` stays a word unless written `code()` or `moji.code`"
    def __init__(self, pages):
        self.syms, self.aliases, owners = {}, {}, {}
        for p in pages:
            for name in (getattr(importlib.import_module(p.module), "__all__", []) if p.module else []):
                owners.setdefault(name, []).append(p)
                full = f"{p.module}.{name}".split(".")
                for i in range(len(full) - 1): self.syms[".".join(full[i:])] = f"#{p.doc}.{name}"
        for name, of in owners.items():
            if len(of) == 1: self.syms[name if re.search(r"_|[A-Z]", name) else f"{name}()"] = f"#{of[0].doc}.{name}"

    def link_line(self, l): return l if l.startswith("#") else super().link_line(l)

    def _link_sym(self, m):
        target = m.string[:m.start()][-1:] != "[" and (self.syms.get(m[0].strip("`")) or self.syms.get(m[1]))
        return f"[{m[0]}]({target})" if target else m[0]

def relink(
    text:str, # Markdown
    page:Page, # The page it stands on
    pages:dict[str,Page], # Path in the repository → page
    staged:Path, # Where the pages are staged
    repo:str, # `"https://github.com/…/blob/main/"`
) -> str: # The same, with links that work on the site
    "Links between notebooks lead to pages, pictures are taken along, any other file is linked in the repository"
    def new(m):
        target = m[2]
        if re.match(r"[a-z]+:|//", target): return m[0]
        found = next((p for base in (ROOT/page.src, ROOT/"README.md") if (p := Path(os.path.normpath(base.parent/target))).exists()), None)
        if not found or not found.is_relative_to(ROOT): return m[0] # Sphinx will call it broken
        src, here = found.relative_to(ROOT).as_posix(), Path(page.doc).parent
        if src in pages: return m[1] + os.path.relpath(f"{pages[src].doc}.ipynb", here)
        if found.suffix.lower() not in PICTURES: return m[1] + repo + quote(src)
        (copy := staged/"files"/src).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, copy)
        return m[1] + os.path.relpath(f"files/{src}", here)
    return re.sub(r"(\]\(|(?:src|href)=\")([^)\"#\s]+)", new, text)

def api(page):
    "The reference at the end of a page: each public name, what it does, its parameters, by fastcore's renderer"
    module, out, other = importlib.import_module(page.module), ["## API"], []
    def entry(name, obj):
        text = (inspect.getdoc(obj) or "").split("\n")[0] if obj.__doc__ else ""
        try: table = DocmentTbl(obj)._repr_markdown_()
        except (OSError, TypeError, ValueError): table = "" # an enum, a class made at run time: no parameters to read
        return [o for o in (name, text, table) if o]
    for name in getattr(module, "__all__", []):
        obj = getattr(module, name)
        if not (inspect.isfunction(obj) or inspect.isclass(obj)):
            other.append(f"`{name}`")
            continue
        out += [f"({page.doc}.{name})=", *entry(f"### {name}", obj)]
        for k, v in (vars(obj).items() if inspect.isclass(obj) else ()):
            if inspect.isfunction(v) and not k.startswith("_"): out += entry(f"**`{name}.{k}`**", v)
    if other: out.append("".join(f"({page.doc}.{o[1:-1]})=\n" for o in other) + "\nValues: " + ", ".join(other))
    return "\n\n".join(out) if len(out) > 1 else ""

# --- The pages, staged for Sphinx

def toctree(docs, caption=""): return "\n".join(["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), "", *docs, "```"])

def contents(title, pages):
    "The first page of a section: every page with its promise, under the rooms"
    out = [f"# {title}"]
    for room in dict.fromkeys(p.room for p in pages):
        own = [p for p in pages if p.room == room]
        out += [f"## {room}"]*bool(room) + ["\n".join(f"- [{p.title}](/{p.doc}.ipynb): {p.promise}" for p in own), toctree([f"/{p.doc}" for p in own], room)]
    return "\n\n".join(out) + "\n"

def help_pages(staged):
    "The section of plain pages; its name"
    files = sorted((ROOT/"docs"/"help").glob("*.md"))
    shutil.copytree(ROOT/"docs"/"help", staged/"help")
    (staged/"help.md").write_text("\n\n".join(["# Help", "\n".join(f"- [{o.read_text(encoding='utf-8').splitlines()[0][2:]}](/help/{o.name})" for o in files), toctree([f"/help/{o.stem}" for o in files])]) + "\n", encoding="utf-8")
    return "help"

def stage(staged):
    "Write every page as Sphinx shall read it"
    repo = f"{get_config().git_url}/blob/{get_config().branch}/"
    index, *pages = [read_page(p) for p in [ROOT/"nbs"/"index.ipynb", *sorted(ROOT.glob("nbs/[0-9]*.ipynb")), *sorted(ROOT.glob("course/[0-9]*.ipynb"))]]
    library, course = [[p for p in pages if p.src.startswith(d)] for d in ("nbs/", "course/")]
    links, by_src, sections = Links(library), {p.src: p for p in (index, *pages)}, []
    (staged/"course").mkdir(parents=True)
    for title, own in (("Course", course), ("Library", library)):
        if not own: continue
        sections.append(title.lower())
        (staged/f"{title.lower()}.md").write_text(contents(title, own), encoding="utf-8")
    sections.append(help_pages(staged))
    for p in progress([index, *pages], "staging", unit="page"):
        steps = [strip_ansi, hide_line, filter_stream_, rm_header_dash, clean_magics, hide_, default_exp_, drop_empty] + [Solutions]*(p in course)
        (todo := NBProcessor(ROOT/p.src, steps)).process()
        nb = todo.nb
        for c in nb.cells:
            if c.cell_type == "markdown": c.source = relink(links.linkify(c.source), p, by_src, staged, repo)
        if p is index: nb.cells.append(mk_cell(toctree(sections), "markdown", metadata={}))
        elif p.module and (text := api(p)): nb.cells.append(mk_cell(text, "markdown", metadata={}))
        nb.metadata["language_info"] = dict(name="python", pygments_lexer="ipython3")
        write_nb(nb, staged/f"{p.doc}.ipynb")
        text = "\n\n".join(c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in nb.cells)
        (staged/f"{p.doc}.html.md").write_text(text + "\n", encoding="utf-8")
    write_json(staged/"pages.json", dict(repo=repo, sources={p.doc: p.src for p in (index, *pages)}))
    return [index, *pages]

def mathjax():
    "A folder with `tex-svg.js` and what it loads, from the cache, else through npm; `ConnectionError` says what to do without a network"
    version, digest = MATHJAX
    if (folder := home("site", f"mathjax-{version}")).is_dir(): return folder
    with tempfile.TemporaryDirectory() as tmp, write_atomic(folder) as aside:
        done = subprocess.run([*npm_command(), "pack", f"mathjax@{version}", "--silent", "--fetch-retries=1"], cwd=tmp, capture_output=True, text=True)
        tgz = Path(tmp)/f"mathjax-{version}.tgz"
        if done.returncode or not tgz.is_file():
            raise ConnectionError(f"could not fetch mathjax@{version} from the npm registry: the first `make site` needs the network\n{done.stderr.strip()}")
        if sha256_file(tgz) != digest: raise ValueError(f"mathjax-{version}.tgz does not match its checksum: it was not used; try again")
        with tarfile.open(tgz) as t:
            for m in t:
                name = m.name.removeprefix("package/").removeprefix("es5/")
                if not m.isfile() or not (name in ("LICENSE", "tex-svg.js") or m.name.startswith("package/es5/input/tex/extensions/")): continue
                (path := aside/name).parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(t.extractfile(m).read())
    return folder

def build(out, staged):
    from sphinx.cmd.build import main as sphinx
    for folder, sign in ((out, "searchindex.js"), (staged, "pages.json")):
        if folder.exists() and not (folder/sign).is_file(): raise ValueError(f"{folder} is there and was not made by this command: name another folder")
    with write_atomic(staged) as aside: pages = stage(aside)
    with tempfile.TemporaryDirectory() as tmp:
        site, quiet = Path(tmp)/"site", [] if sys.stdout.isatty() else ["--quiet"]
        shutil.copytree(mathjax(), site/"_static"/"mathjax")
        if sphinx([*quiet, "--fail-on-warning", "--keep-going", "--conf-dir", "docs", "--doctree-dir", f"{tmp}/trees", str(staged), str(site)]):
            raise ValueError("mend the warnings above in the notebooks that they name")
        for p in pages: shutil.copy(staged/f"{p.doc}.html.md", site/f"{p.doc}.html.md") # each module's docstring names this address
        with write_atomic(out) as aside: shutil.copytree(site, aside, ignore=shutil.ignore_patterns(".buildinfo", "_sources", "webpack-macros.html"))
    return pages

@call_parse
def main(
    out:str = str(ROOT/"_site"), # Where the site goes; an older one stands until the new one is whole
    staged:str = str(ROOT/"docs"/"_staged"), # Where the pages are prepared
):
    "Build the documentation into _site/index.html"
    out, staged = Path(out).absolute(), Path(staged).absolute()
    os.chdir(ROOT)
    try: pages = build(out, staged)
    except (OSError, ValueError) as e: sys.exit(f"the site was not built: {e}")
    print(f"{len(pages)} pages: open {os.path.relpath(out)}/index.html")
