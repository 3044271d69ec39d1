"README.md out of nbs/index.ipynb: prose as it is, code with its stored outputs, hidden cells left out"
import argparse, base64, os, re, sys
from pathlib import Path
from fastcore.nbio import read_nb
from nbdev.process import NBProcessor
from nbdev.processors import clean_magics, filter_stream_, hide_, hide_line, strip_ansi
from l1g1000.core import write_atomic

ROOT = Path(__file__).absolute().parents[1]
PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpeg"}

def fence(text, kind):
    ticks = max([2, *map(len, re.findall("`+", text))]) + 1
    return f"{'`'*ticks}{kind}\n{text.strip()}\n{'`'*ticks}"

def relink(text, root):
    "Links lead from nbs/ to files of the repository; in README.md they start at its top"
    def new(m):
        to = Path(os.path.normpath(root/"nbs"/m[2]))
        return m[1] + to.relative_to(root).as_posix() if to.exists() and to.is_relative_to(root) else m[0]
    return re.sub(r"(\]\(|(?:src|href)=\")([^)\"#\s]+)", new, text)

def shown(out, name, files):
    "One stored output as Markdown; a picture goes into `files` and is referenced"
    if out.output_type == "stream": return fence("".join(out.text), "text") if out.name == "stdout" and "".join(out.text).strip() else ""
    if out.output_type == "error": raise ValueError("nbs/index.ipynb stores an error: mend that cell, run it and try again")
    data = {k: "".join(v) for k,v in out.data.items()}
    for kind,ext in PICTURES.items():
        if kind not in data: continue
        path = f"docs/readme/{name}.{ext}"
        files[path] = data[kind].encode() if ext == "svg" else base64.b64decode(data[kind])
        return f"![{data.get('text/plain', name).strip('<>')}]({path})"
    return data["text/markdown"] if "text/markdown" in data else fence(data["text/plain"], "text")

def render(root):
    "Path → content of README.md and of the pictures that it shows"
    book = root/"nbs"/"index.ipynb"
    if not book.is_file(): raise ValueError("no nbs/index.ipynb: README.md is made from it")
    work, files = NBProcessor(book, [strip_ansi, hide_line, filter_stream_, clean_magics, hide_]), {}
    work.process()
    parts = ["<!-- Made from nbs/index.ipynb by tools/readme.py: edit that page -->"]
    for c in work.nb.cells:
        if c.cell_type == "markdown": parts.append(relink(c.source.strip(), root))
        elif c.cell_type == "code" and c.source.strip():
            parts.append(fence(c.source, "python"))
            parts += [shown(o, f"{c.id}-{i}", files) for i,o in enumerate(c.outputs)]
    if not any(re.match("# ", o) for o in parts): raise ValueError("nbs/index.ipynb has no title: start its first markdown cell with '# l1g1000'")
    return {"README.md": ("\n\n".join(filter(None, parts)) + "\n").encode(), **files}

def stale(root, files):
    "The files that differ from what the page shows; pictures that it shows no more too"
    kept = {p.relative_to(root).as_posix() for p in root.glob("docs/readme/*")}
    return sorted(k for k in kept|files.keys() if k not in files or not (root/k).is_file() or (root/k).read_bytes() != files[k])

if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--check", action="store_true", help="write nothing: exit 1 when README.md is not what the page shows")
    ask.add_argument("--root", type=Path, default=ROOT, help="the repository")
    args = ask.parse_args()
    try: files = render(root := args.root.absolute())
    except ValueError as e: sys.exit(str(e))
    old = stale(root, files)
    if args.check: sys.exit(old and f"{', '.join(old)}: not what nbs/index.ipynb shows; run: python tools/readme.py" or None)
    for k in old:
        if k not in files: (root/k).unlink()
        else:
            with write_atomic(root/k) as f: f.write_bytes(files[k])
    print(*[f"wrote {k}" if k in files else f"removed {k}" for k in old] or ["README.md is what nbs/index.ipynb shows"], sep="\n")
