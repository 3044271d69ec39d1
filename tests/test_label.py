"Labels given in JupyterLab with real keys survive a restart of the kernel; a process that is killed loses none; a failed write leaves no half line"
import json, os, signal, subprocess, sys
import pytest
from conftest import choose, notebook, opened, wait
from l1g1000.data.panel import LabelFile, LabelPanel, read_labels

LABELS = ["round", "square", "long"]
ROWS = """from PIL import Image, ImageDraw
from l1g1000.data.panel import LabelPanel
def draw(i):
    im = Image.new("RGB", (64, 64), "white")
    [ImageDraw.Draw(im).ellipse, ImageDraw.Draw(im).rectangle][i%2]((12, 12, 52, 52 if i%3 else 30), fill=["#d6604d", "#2166ac", "#4d9221"][i%3])
    return dict(text=f"shape {i}", picture=im)
rows = [draw(i) for i in range(6)]"""
PANEL = f"import os\npanel = LabelPanel(rows, {LABELS}, 'shapes.jsonl')\nprint('pid', os.getpid())\npanel"

def test_labels_given_with_keys_survive_a_restart(browser, lab):
    folder, url = lab
    notebook(folder/"panel.ipynb", ROWS, PANEL, "'a cell below'")
    def given(): return read_labels(folder/"shapes.jsonl")[1]
    with opened(browser, lab, "panel.ipynb") as (page, finished):
        strangers = []
        page.on("request", lambda r: strangers.append(r.url) if not r.url.startswith((url, "data:", "blob:", url.replace("http", "ws"))) else None)
        box, cells = page.locator(".l1g-panel"), page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
        def shows(text): wait(lambda: text in box.inner_text(), 20, lambda: f"no {text!r}: {box.inner_text()!r}")
        def press(key, then):
            page.keyboard.press(key)
            shows(then)
        def pid(): return page.locator(".jp-OutputArea-output", has_text="pid").inner_text()
        choose(page, "Run", "Run All Cells")
        finished(60)
        shows("row 1 of 6 · 0 labelled")
        box.locator("img").click() # from here on keys only
        press("1", "row 2 of 6 · 1 labelled")
        press("3", "row 3 of 6 · 2 labelled")
        press("ArrowRight", "row 4 of 6 · 2 labelled")
        press("2", "row 5 of 6 · 3 labelled")
        press("Backspace", "row 4 of 6 · 2 labelled")
        for key in ("x", "b", "Control+ArrowLeft"): page.keyboard.press(key) # JupyterLab's own, or nobody's: cut this cell, a cell below
        press("3", "row 5 of 6 · 3 labelled")
        assert cells.count() == 3, "a key for the panel reached JupyterLab"
        assert given() == {0:"round", 1:"long", 3:"long"}
        box.get_by_role("button", name="square").click()
        shows("row 6 of 6 · 4 labelled")
        press("ArrowLeft", "row 5 of 6") # the keys still work after a click
        page.screenshot(path=folder.parent/"panel.png")
        old = pid()
        choose(page, "Kernel", "Restart Kernel and Run All Cells…")
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        wait(lambda: page.locator(".jp-OutputArea-output", has_text="pid").count() and pid() != old, 60, lambda: "the kernel did not restart")
        shows("row 3 of 6 · 4 labelled, 2 to go") # the first row without a label
        assert given() == {0:"round", 1:"long", 3:"long", 4:"square"}
        box.locator("img").click()
        press("2", "row 6 of 6 · 5 labelled")
        press("1", "All 6 rows have a label.")
        page.screenshot(path=folder.parent/"panel-done.png")
        assert given() == {0:"round", 1:"long", 2:"square", 3:"long", 4:"square", 5:"round"}
        assert not strangers, f"the panel called {strangers}"

def test_a_process_that_is_killed_loses_no_label(tmp_path):
    code = """import sys
from l1g1000.data.panel import LabelPanel
p = LabelPanel([f"row {i}" for i in range(5000)], ["a", "b"], sys.argv[1])
while True:
    print(p.at, flush=True)
    p.press("1")"""
    p = subprocess.Popen([sys.executable, "-c", code, tmp_path/"l.jsonl"], stdout=subprocess.PIPE, text=True)
    while int(line := p.stdout.readline()) < 20: pass
    p.send_signal(signal.SIGKILL)
    seen = int((line + p.communicate()[0]).split()[-1]) # it said so: all before this one have their label
    f = LabelFile(tmp_path/"l.jsonl", [f"row {i}" for i in range(5000)], ["a", "b"])
    assert 20 <= seen <= len(f.given) <= seen+1 and f.given == {i: "a" for i in range(len(f.given))}

def test_a_write_that_fails_leaves_no_half_line(tmp_path, monkeypatch):
    panel = LabelPanel(["one", "two"], ["a", "b"], path := tmp_path/"l.jsonl")
    before = path.read_bytes()
    def full(_): raise OSError(28, "No space left on device")
    with monkeypatch.context() as m:
        m.setattr(os, "fsync", full)
        panel.press("1")
    assert path.read_bytes() == before and panel.at == 0 and panel.given == [None, None]
    assert "not saved: [Errno 28]" in panel.state["html"]
    panel.press("1")
    assert panel.given == ["a", None] and "not saved" not in panel.state["html"]

def test_any_cut_of_the_file_is_opened_or_refused(tmp_path):
    rows = ["one", "two", "three"]
    f = LabelFile(tmp_path/"l.jsonl", rows, ["a", "b"])
    states, whole = [{}], [len(f.path.read_bytes())]
    for i,l in ((0, "a"), (1, "b"), (0, "b"), (1, None)):
        f.put(i, l)
        states.append(dict(f.given))
        whole.append(f.path.stat().st_size)
    data, cut = f.path.read_bytes(), tmp_path/"cut.jsonl"
    for n in range(len(data)+1):
        cut.write_bytes(data[:n])
        if n < whole[0]: # not even the first line
            with pytest.raises(ValueError, match="It was left as it is"): LabelFile(cut, rows, ["a", "b"])
            assert cut.read_bytes() == data[:n]
        else:
            k = sum(w <= n for w in whole) - 1
            assert LabelFile(cut, rows, ["a", "b"]).given == states[k] and cut.read_bytes() == data[:whole[k]]

def test_the_lines_are_plain_json(tmp_path):
    f = LabelFile(tmp_path/"l.jsonl", ["猫\n", "\u2028"], ["动物", "ещё"])
    f.put(1, "ещё")
    assert [json.loads(l)["label"] for l in f.path.read_text(encoding="utf-8").split("\n")[1:-1]] == ["ещё"]
    assert LabelFile(f.path, ["猫\n", "\u2028"], ["动物", "ещё"]).given == {1: "ещё"}
