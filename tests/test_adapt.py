"Whatever is wrong with a table of labels is said before anything is learnt, and what was learnt survives a new process"
import json, subprocess, sys
import numpy as np
import pytest
from l1g1000.adapt.finetune import Adapted, finetune
from l1g1000.adapt.head import TuneConfig
from l1g1000.adapt.prompt import FewShot, PromptTuner
from l1g1000.core import read_json, write_json

TEXTS = [f"{a} {b} today" for a in ("pay", "send", "owe") for b in ("money", "cash", "coins", "bills")] + [f"{a} {b} today" for a in ("walk", "feed", "pet") for b in ("dogs", "cats", "hens", "cows")]
LABELS = ["bank"]*12 + ["farm"]*12
NAN = float("nan")

@pytest.fixture(scope="module")
def model(): return finetune("tfidf", TEXTS, LABELS)

@pytest.mark.parametrize("change,said", [
    (dict(texts=[], labels=[]), "there is no text to learn from"),
    (dict(labels=LABELS[:-1]), "24 texts and 23 labels"),
    (dict(labels=["bank"]*24), "all 24 labels are 'bank'"),
    (dict(labels=[NAN, *LABELS[1:]]), "the label of row 0 is missing"),
    (dict(labels=np.array([*LABELS[:-1], None], object)), "the label of row 23 is missing"),
    (dict(labels=[*LABELS[:-1], "  "]), "the label of row 23 is missing"),
    (dict(labels=[.5]*23 + [1.5]), "task='regression'"),
    (dict(labels=[1., 2.]*11 + [1., float("-inf")], task="regression"), "the label of row 23 is -inf"),
    (dict(texts=[*TEXTS[:-1], "\n"]), "text 23 is"),
    (dict(texts=[*TEXTS[:-1], None]), "text 23 is None"),
    (dict(texts=TEXTS[0]), "not one text"),
    (dict(groups=[1]*24), "all rows belong to the group 1"),
    (dict(groups=[1, 2]), "24 texts and 2 groups"),
    (dict(backbone="minilm+tfidff"), "is no backbone"),
    (dict(how="adapter"), "Choose from: frozen, lora, full"),
    (dict(task="clasification"), "Did you mean 'classification'"),
])
def test_a_bad_table_is_refused(change, said):
    with pytest.raises(ValueError) as e: finetune(**dict(backbone="tfidf", texts=TEXTS, labels=LABELS) | change)
    assert said in str(e.value)

@pytest.mark.parametrize("data,how,said", [
    ([], {}, "there is no text"),
    (dict(text=TEXTS), {}, "columns named text and label"),
    (dict(text=TEXTS, label=LABELS[1:]), {}, "24 texts and 23 labels"),
    (dict(text=TEXTS, label=LABELS), dict(num_shots=1), "too few for 2 classes"),
    (dict(text=TEXTS, label=LABELS), dict(num_shots=13, per="class"), "has 12 rows, 13 are to be picked"),
    (dict(text=TEXTS, label=LABELS), dict(names={"zoo": "animals"}), "which is no label of the data"),
])
def test_bad_shots_are_refused(data, how, said):
    with pytest.raises(ValueError) as e: PromptTuner("nano", **how).fit(data)
    assert said in str(e.value)

def test_rows_of_a_group_never_part():
    "The label follows the group, not the text: only splits that keep groups whole find out that nothing can be learnt"
    rng = np.random.default_rng(0)
    texts = [f"patient{g}patient " + " ".join(rng.choice(["so", "then", "well", "now"], 3)) for g in range(40) for _ in range(6)]
    labels, groups = [int(o) for o in rng.integers(2, size=40).repeat(6)], [g for g in range(40) for _ in range(6)]
    apart, whole = (finetune("tfidf", texts, labels, groups=g) for g in (None, groups))
    assert apart.threshold < 1 and whole.threshold == 2, "a threshold above 1 is never reached: it stays silent"

def test_it_answers_alike_in_a_new_process(model, tmp_path):
    model.save(tmp_path/"m")
    code = "import sys, json; from l1g1000.adapt.finetune import Adapted; m = Adapted.load(sys.argv[1]); print(json.dumps([m.predict(['feed coins', 'pay hens']), m.predict_proba(['feed coins', 'pay hens']).tolist()]))"
    said = json.loads(subprocess.run([sys.executable, "-c", code, tmp_path/"m"], capture_output=True, text=True, check=True).stdout)
    assert said[0] == model.predict(["feed coins", "pay hens"]) and np.allclose(said[1], model.predict_proba(["feed coins", "pay hens"]), atol=1e-6)
    assert not [o for o in (tmp_path/"m").iterdir() if o.suffix in (".pkl", ".bin", ".pt", ".joblib")]

def test_a_failed_save_leaves_the_old_one(model, tmp_path, monkeypatch):
    model.save(tmp_path/"m")
    before = {o.name: o.read_bytes() for o in (tmp_path/"m").iterdir()}
    monkeypatch.setattr("l1g1000.adapt.finetune.write_json", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"): model.save(tmp_path/"m")
    assert {o.name: o.read_bytes() for o in (tmp_path/"m").iterdir()} == before and [o.name for o in tmp_path.iterdir()] == ["m"]

@pytest.mark.parametrize("file", ["weights.safetensors", "adapted.json"])
def test_an_altered_file_is_refused(model, tmp_path, file):
    o = model.save(tmp_path/"m")/file
    o.write_bytes(o.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{file} was altered, cut or lost"): Adapted.load(tmp_path/"m")

def test_same_seed_same_answers():
    a,b = (finetune("tfidf", TEXTS, LABELS, seed=3) for _ in range(2))
    assert (a.predict_proba(TEXTS) == b.predict_proba(TEXTS)).all() and (a.temperature, a.threshold) == (b.temperature, b.threshold)

def test_it_is_silent_where_nothing_can_be_known():
    rng = np.random.default_rng(0)
    noise = finetune("tfidf", [" ".join(rng.choice(["a1", "b2", "c3", "d4"], 5)) for _ in range(200)], ["x", "y"]*100, cfg=TuneConfig(trust=.9))
    assert noise.predict(["a1 b2", "c3 d4 d4"], abstain=True) == [None, None] and set(noise.predict(["a1 b2", "c3"])) <= {"x", "y"}

def test_a_prompt_is_small_and_survives(tmp_path):
    tuner = PromptTuner("nano", 10)
    m = tuner.fit(list(zip(TEXTS, LABELS)))
    again = FewShot.load(m.save(tmp_path/"p"))
    assert (tmp_path/"p"/"prompt.safetensors").stat().st_size < 9000
    assert again.predict(TEXTS) == m.predict(TEXTS) and np.allclose(again.predict_proba(TEXTS), m.predict_proba(TEXTS), atol=1e-6)
    assert np.allclose(m.predict_proba(TEXTS).sum(1), 1) and len(tuner.shots) == 10
    (tmp_path/"p"/"manifest.json").unlink()
    about = read_json(tmp_path/"p"/"prompt.json")
    write_json(tmp_path/"p"/"prompt.json", about | dict(digest="0"*64))
    with pytest.raises(ValueError, match="no manifest.json"): FewShot.load(tmp_path/"p")

def test_the_article_in_two_lines():
    "Only its import line is another"
    model, new_domain_data = "nano", list(zip(TEXTS, LABELS))
    from l1g1000 import PromptTuner
    tuner = PromptTuner(model, num_shots=10)
    tuned_model = tuner.fit(new_domain_data)
    assert set(tuned_model.predict(TEXTS[:3])) <= {"bank", "farm"}
