"Bad days of the industry templates: one line with row and column, and the artefact of yesterday stays"
import json, subprocess, sys
import numpy as np, pandas as pd, pytest
from conftest import ROOT
from l1g1000.cli import main
from test_cli import cli

TEMPLATE = """
title: A workshop's machines
tasks:
  failure:
    title: Which machine fails
    purpose: For a test.
    limits: Made up.
    data: credit
    columns: {hours: {type: whole, low: 0, high: 9999}, shift: {values: [day, night]}, state: {values: [fails, runs]}}
    target: state
    reads: [hours, shift]
    positive: fails
    backbone: linear
    rivals: []
    metric: auc
    fairness: [shift]
    parts: 3
    guard: {notice: A mechanic decides., trust: 0.9}
"""

def weeks(n=300, seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(dict(hours=rng.integers(0, 9000, n), shift=rng.choice(["day", "night"], n)))
    return rows.assign(state=np.where(rows["hours"] + rng.normal(0, 1500, n) > 5000, "fails", "runs"))

@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    "A template, a good table, and the artefact that they made"
    folder = tmp_path_factory.mktemp("shop")
    (folder/"shop.yaml").write_text(TEMPLATE)
    weeks().to_csv(folder/"good.csv", index=False)
    done = cli("template", folder/"shop.yaml", "--data", folder/"good.csv", "--out", folder/"art", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)

@pytest.fixture
def refused(capsys):
    "What the command says in its one line when it refuses"
    def call(said, *args):
        with pytest.raises(SystemExit) as end: main([*map(str, args)])
        lines = [o for o in capsys.readouterr().err.splitlines() if o.startswith("l1g1000: ")]
        assert end.value.code == 2 and len(lines) == 1 and said in lines[0], lines
    return call

def contents(folder): return {o.relative_to(folder).as_posix(): o.read_bytes() for o in folder.rglob("*") if o.is_file()}

def test_a_table_becomes_an_artefact(shop):
    folder, report = shop
    best, *rest = report["scores"]
    assert best["model"] == "linear" and best["low"] > .8 > .55 > rest[-1]["high"] and report["parts"] == 3
    assert {"artefact.json", "card.md", "report.json", "task.yaml", "model/model.json", "model/model.safetensors"} == set(contents(folder/"art"))
    card = (folder/"art"/"card.md").read_text(encoding="utf-8")
    assert "A mechanic decides." in card and f"{best['value']:.3f}" in card and "good.csv" in card and str(folder) not in card
    assert not [o for o in contents(folder/"art").values() if o.startswith(b"\x80")] # no pickle

LINES = dict(zip(("hours", "shift", "state"), range(3)))

def spoil(folder, row, column, value):
    lines = (folder/"good.csv").read_text().splitlines()
    cells = lines[row-1].split(",")
    cells[LINES[column]] = value
    lines[row-1] = ",".join(cells)
    (folder/"bad.csv").write_text("\n".join(lines) + "\n")

@pytest.mark.parametrize("row,column,value,said", [
    (17, "hours", "nan", "row 17, column 'hours': 'nan' is no finite number"), (3, "hours", "-inf", "row 3, column 'hours': '-inf' is no finite number"), (301, "hours", "12000", "row 301, column 'hours': 12000 is outside 0 … 9999"),
    (9, "hours", "", "row 9, column 'hours': the cell is empty"), (9, "hours", "1,5", "row 9 has 4 cells, the header 3"), (40, "state", "fail", "row 40, column 'state': unknown label 'fail'. Did you mean 'fails'"),
    (2, "shift", "noon", "row 2, column 'shift': unknown label 'noon'"), (1, "shift", "shif", "row 1: no column 'shift' among 'hours', 'shif', 'state': is 'shif' meant?"), (1, "shift", "hours", "row 1 names 'hours' twice")])
def test_a_bad_cell_is_named_and_the_artefact_stays(shop, refused, row, column, value, said):
    folder,_ = shop
    before = contents(folder/"art")
    spoil(folder, row, column, value)
    refused(said, "template", folder/"shop.yaml", "--data", folder/"bad.csv", "--out", folder/"art")
    assert contents(folder/"art") == before and not [o for o in folder.iterdir() if o.name.endswith(".part")]

@pytest.mark.parametrize("name,data,said", [
    ("empty.csv", b"", "is empty: row 1 must name the columns"), ("head.csv", b"hours,shift,state\n", "a header and no row"), ("latin.csv", "hours,shift,state\n1,nächtlich,runs\n".encode("latin-1"), "row 2, column 'shift': byte 21 is not UTF-8"),
    ("wide.csv", "hours,shift,state\n".encode("utf-16"), "it looks like UTF-16"), ("one.csv", b"hours,shift,state\n" + b"1,day,runs\n"*30, "rows 2 to 31, column 'state': all hold 'runs'"), ("few.csv", b"hours,shift,state\n" + b"1,day,runs\n"*30 + b"2,day,fails\n", "label 'fails' stands in 1 rows"),
    ("cut.parquet", b"PAR1", "not readable Parquet"), ("mine.xlsx", b"PK", "unknown kind of table 'xlsx'"), ("open.csv", b'hours,shift,state\n1,"day,runs\n' + b"x"*150_000, "is a quotation mark left open?")])
def test_a_bad_file_is_refused_and_the_artefact_stays(shop, refused, name, data, said):
    folder,_ = shop
    before = contents(folder/"art")
    (folder/name).write_bytes(data)
    refused(said, "template", folder/"shop.yaml", "--data", folder/name, "--out", folder/"art")
    assert contents(folder/"art") == before

def test_ten_gigabytes_are_refused_before_they_are_read(shop):
    folder,_ = shop
    with open(folder/"huge.csv", "wb") as f: f.truncate(10**10) # sparse: it takes no room
    code = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (4*10**9, 4*10**9)); from l1g1000.data.tables import read_table; read_table({str(folder/'huge.csv')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "10,000,000,000 bytes, more than 200,000,000" in done.stderr.splitlines()[-1]

@pytest.mark.parametrize("args,said", [(("finanse",), "Did you mean 'finance'"), (("finance", "--task", "credti"), "Did you mean 'credit'"), (("finance", "--data", "nowhere.csv"), "no file at nowhere.csv"), (("nowhere.yaml",), "no config file at nowhere.yaml"),
    (("finance", "tasks.credit.backbone=forest"), "unknown backbone in tasks.credit: 'forest'"), (("finance", "tasks.credit.parts=two"), "parts"), (("finance", "--seed", "-1"), "seed")])
def test_a_wrong_word(args, said, tmp_path, refused):
    refused(said, "template", *args, "--out", tmp_path/"out")
    assert not list(tmp_path.iterdir())

def test_what_is_no_artefact_is_never_replaced(shop, tmp_path, refused):
    folder,_ = shop
    (tmp_path/"mine").mkdir()
    (tmp_path/"mine"/"thesis.txt").write_text("dear to me")
    refused("is there, and is no artefact", "template", folder/"shop.yaml", "--data", folder/"good.csv", "--out", tmp_path/"mine")
    assert (tmp_path/"mine"/"thesis.txt").read_text() == "dear to me"

def test_no_sector_stands_in_the_code():
    words = ("credit", "loan", "bank", "patient", "clinic", "doctor", "school", "student", "pupil", "finance", "medic", "educat")
    for name in ("template", "artefact"):
        code = "\n".join(o.split("#")[0] for o in (ROOT/"l1g1000"/"industry"/f"{name}.py").read_text(encoding="utf-8").split('"""', 2)[2].splitlines()).lower()
        assert not [w for w in words if w in code], name

def test_every_template_is_whole():
    from l1g1000.data.samples import SAMPLES
    from l1g1000.industry.template import is_text, known_templates, load_template, phrases_of
    assert known_templates() == ["education", "finance", "medical"]
    for name in known_templates():
        for t in load_template(name).tasks.values():
            assert t.data in SAMPLES and t.guard.notice and len(t.limits) > 40 and (not t.guard.escalate or phrases_of(name, t))
    medical = load_template("medical").tasks
    assert all("Not for clinical use" in t.guard.notice and "Not for clinical use" in t.limits and t.guard.trust and is_text(t) for t in medical.values()) and medical["triage"].guard.escalate

def test_the_questions_are_what_their_card_says():
    from l1g1000.data.samples import load_sample
    rows = load_sample("questions")
    assert len(rows) == 512 and not rows["text"].duplicated().any() and not rows["id"].duplicated().any() and set(rows["lang"]) == {"en", "zh"}
    assert (rows.groupby("group").agg(lambda o: len(set(o)))[["lang", "office"]].to_numpy() == [2, 1]).all()
    assert (rows.groupby(["office", "lang"]).size() == 32).all() and rows["office"].nunique() == 8
    card = (ROOT/"data"/"questions.md").read_text(encoding="utf-8")
    assert "512" in card and all(o in card for o in set(rows["office"]))
