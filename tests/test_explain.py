"The report on one decision: one file that needs nothing, legible on a phone, and errors that say what to do"
import json, re
from html.parser import HTMLParser
import pytest
from l1g1000.core import read_json

@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    "A template's artefact of each kind, made of the stand-in by fewer parts: trees, a model that can only be asked, a number, a text"
    from l1g1000.industry.artefact import adapt_template
    tmp, made = tmp_path_factory.mktemp("artefacts"), {}
    for name,template,task,changes in (("trees", "finance", "credit", []), ("linear", "finance", "credit", ["backbone=linear"]), ("number", "education", "final", []), ("text", "education", "questions", [])):
        adapt_template(template, out=tmp/name, task=task, overrides=[f"tasks.{task}.{o}" for o in ["rivals=[]", "parts=2", *changes]], say=lambda s: None)
        made[name] = tmp/name
    return made

def make(artefacts, kind, out, row=40, **kw):
    from l1g1000.explain.report import explain
    return explain(artefact=artefacts[kind], row=row, out=out, say=lambda s: None, **kw), (out/"report.html").read_text(encoding="utf-8")

class Loads(HTMLParser):
    "What a page would fetch, its tags, and its visible text"
    def __init__(self, page):
        super().__init__()
        self.loads, self.tags, self.text, self.hidden = [], [], "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.hidden = tag in ("style", "title")
        self.loads += [v for k,v in attrs if k in ("src", "href", "srcset", "data", "action", "poster", "background")]

    def handle_data(self, data):
        if not self.hidden: self.text += data

@pytest.mark.parametrize("kind", ["trees", "linear", "number", "text"])
def test_a_report_is_one_file_that_asks_for_nothing(artefacts, kind, tmp_path):
    told, page = make(artefacts, kind, tmp_path)
    seen = Loads(page)
    assert len(page.encode()) <= 5_000_000
    assert all(o.startswith("data:image/png;base64,") for o in seen.loads) and not {"script", "link", "iframe", "object"} & set(seen.tags)
    css = page[page.index("<style>"):page.index("</style>")]
    assert "url(" not in css and "@import" not in css and not re.search(r"https?://", css)
    for title in ("The answer", "Why", "What would change it", "For whom it is right", "How good it is", "The data and the model", "Where it ends", "How to make this page again"): assert title in seen.text, title
    assert told["decision"] in seen.text and all(o in seen.text for o in (*told["why"], *told["change"]))
    assert len(seen.loads) == (0 if kind == "text" else 2) and read_json(tmp_path/"report.json") == told
    assert re.search(r"SHA-256 of its manifest [0-9a-f]{64}", seen.text) and "shap 0." in seen.text and "--seed 0" in seen.text

@pytest.mark.parametrize("kind", ["trees", "text"])
def test_a_phone_shows_it_without_sideways_scrolling(artefacts, kind, tmp_path, browser):
    make(artefacts, kind, tmp_path)
    for width,scheme in ((390, "light"), (390, "dark"), (1280, "light")):
        with browser.new_context(viewport=dict(width=width, height=800), color_scheme=scheme) as context:
            page, asked = context.new_page(), []
            page.on("request", lambda r: asked.append(r.url))
            page.goto((tmp_path/"report.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert [o for o in asked if not o.startswith("data:")] == [(tmp_path/"report.html").as_uri()]
            assert page.evaluate("[...document.images].every(o => o.complete && o.naturalWidth > 100)")
            light = page.evaluate("getComputedStyle(document.body).color.match(/\\d+/g).map(Number).reduce((a, b) => a+b)")
            assert (light > 380) == (scheme == "dark"), "letters must stand out"

def test_the_browser_prints_it(artefacts, tmp_path, browser):
    told,_ = make(artefacts, "trees", tmp_path, pdf=True)
    assert told["files"][1].endswith("report.pdf") and (tmp_path/"report.pdf").read_bytes()[:5] == b"%PDF-"

def test_without_a_browser_the_page_is_there_and_the_error_says_how_to_print_it(artefacts, tmp_path, monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(RuntimeError, match=r"open .*report\.html in a browser and print it to a file"): make(artefacts, "number", tmp_path, pdf=True)
    assert sorted(o.name for o in tmp_path.iterdir()) == ["report.html", "report.json"]

def test_the_same_row_is_explained_alike(artefacts, tmp_path):
    first, again = (make(artefacts, "trees", tmp_path/o)[1] for o in "ab")
    dated = re.compile(r"Made [\d: -]+ UTC")
    assert dated.search(first) and dated.sub("", first) == dated.sub("", again)

def test_what_would_change_it_is_proven(artefacts, tmp_path):
    from l1g1000.explain.report import facts, open_case, scores_of
    seen = 0
    for row in (4, 11, 16, 20, 31):
        case = open_case(row, artefact=artefacts["trees"])
        found = facts(case)
        for o in found["ways"]:
            changed = case.inputs.iloc[[case.at]].assign(**o["change"])
            p = case.desk.model.predict_proba(changed)[0, case.desk.model.classes.index("good")]
            assert p >= found["bar"] - 1e-9 and scores_of(case.desk, "good")(changed)[0] > scores_of(case.desk, "good")(case.inputs.iloc[[case.at]])[0]
            assert not {"Age", "Marital", "Records", "Seniority"} & set(o["change"])
            seen += 1
    assert seen >= 3

def test_a_table_of_strangers_needs_no_answers(artefacts, tmp_path):
    from l1g1000.explain.report import open_case
    case = open_case(2, artefact=artefacts["trees"])
    rows = case.inputs.iloc[:30]
    rows.to_csv(tmp_path/"new.csv", index=False)
    told, page = make(artefacts, "trees", tmp_path, row=31, data=tmp_path/"new.csv")
    assert "learnt from, and of such" not in page and "never saw this row" not in told["decision"] and "new.csv, SHA-256" in page
    rows.assign(Age=340).to_csv(tmp_path/"bad.csv", index=False)
    with pytest.raises(ValueError, match="column 'Age': 340 is outside"): make(artefacts, "trees", tmp_path, data=tmp_path/"bad.csv")
    rows.iloc[:1].to_csv(tmp_path/"one.csv", index=False)
    with pytest.raises(ValueError, match="nobody to compare it with"): make(artefacts, "trees", tmp_path, row=2, data=tmp_path/"one.csv")

def test_a_text_cannot_write_into_the_page(artefacts, tmp_path):
    (tmp_path/"texts.csv").write_text("text\n<script>alert(1)</script> my library card & <img src=http://x/y.png>\nwhere is the library?\n", encoding="utf-8")
    page = make(artefacts, "text", tmp_path, row=2, data=tmp_path/"texts.csv")[1]
    assert not Loads(page).loads and "script" not in Loads(page).tags and "&lt;" in page and "library" in Loads(page).text

@pytest.mark.parametrize("asked,words", [
    (dict(template="finanse"), "Did you mean 'finance'"), (dict(template="finance", task="credti"), "Did you mean 'credit'"), (dict(template="finance", row=4456), "row=4456 is outside 2 … 4455"), (dict(row=1), "row=1 is outside 2 … 4455: row 1 is the header"), (dict(row=4456), "row=4456 is outside 2 … 4455"), (dict(row=-3), "row=-3 is outside"),
    (dict(row=True), "row=True is outside"), (dict(artefact="nowhere"), "nowhere holds no artefact.json: give the folder that l1g1000 template wrote"), (dict(artefact="trees", template="finance"), "leave template and task out"), (dict(seed=-1), "seed=-1 is outside"), (dict(data="none.csv"), "no file at none.csv"),
])
def test_what_cannot_be_explained_is_told_in_words(artefacts, tmp_path, asked, words):
    from l1g1000.explain.report import explain
    asked = dict(row=17, out=tmp_path/"report", say=lambda s: None) | ({} if "template" in asked else dict(artefact="trees")) | asked
    if "artefact" in asked: asked["artefact"] = artefacts.get(asked["artefact"], asked["artefact"])
    with pytest.raises(ValueError) as e: explain(**asked)
    assert words in str(e.value) and "\n" not in str(e.value) and not (tmp_path/"report").exists()

def test_an_altered_artefact_is_refused(artefacts, tmp_path):
    import shutil
    shutil.copytree(artefacts["number"], tmp_path/"mine")
    report = json.loads((tmp_path/"mine"/"report.json").read_text(encoding="utf-8"))
    (tmp_path/"mine"/"report.json").write_text(json.dumps(report | dict(seed=1)), encoding="utf-8")
    with pytest.raises(ValueError, match="was altered or cut"): make(dict(mine=tmp_path/"mine"), "mine", tmp_path, row=2)

def test_a_template_makes_its_artefact_once(tmp_path):
    from l1g1000.explain.report import explain
    said = []
    first = explain("education", 2, task="final", out=tmp_path, say=said.append)
    before = (tmp_path/"artefact"/"artefact.json").stat().st_mtime_ns
    again = explain("education", 3, task="final", out=tmp_path, say=said.append)
    assert any("learning all 680 rows" in o for o in said) and any("was made of this template" in o for o in said) and (tmp_path/"artefact"/"artefact.json").stat().st_mtime_ns == before
    assert first["answer"] != again["answer"]
    explain("education", 3, task="final", out=tmp_path, seed=1, say=said.append)
    assert (tmp_path/"artefact"/"artefact.json").stat().st_mtime_ns != before, "another seed is another model"
