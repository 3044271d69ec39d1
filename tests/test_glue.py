"What page 59 promises about real data, and about runs that are killed"
import os, signal, subprocess, sys
from pathlib import Path
import numpy as np, pandas as pd
import pytest

sklearn = pytest.importorskip("sklearn", reason="TF-IDF needs scikit-learn: pip install 'l1g1000[data]'")
from l1g1000.core import read_json
from l1g1000.evaluate.glue import TASKS, duel, glue_rows, majority, run_glue, scoreboard, tfidf

HERE = ("sst2", "mrpc", "rte", "stsb")

@pytest.fixture(scope="module")
def mirror():
    "The folder with the real rows"
    folder = os.environ.get("L1G1000_DATA")
    if not folder: pytest.skip("L1G1000_DATA is not set: the rows of GLUE are not shipped")
    if lost := [o for o in HERE if not (Path(folder)/"glue"/o).is_dir()]: pytest.skip(f"L1G1000_DATA holds no glue/{lost[0]}")
    return folder

@pytest.mark.parametrize("name", HERE)
def test_the_table_is_right_about_the_rows(mirror, name):
    t = TASKS[name]
    for part,n in zip(("train", "held"), t.rows):
        rows = glue_rows(name, part, mirror)
        assert len(rows.texts) == len(rows.labels) == n
        assert set(rows.labels) == set(t.labels) if t.labels else (rows.labels.min(), rows.labels.max()) == (0, 5)
        assert all(isinstance(o, str) if len(t.columns) == 1 else isinstance(o, tuple) and len(o) == 2 for o in rows.texts)

@pytest.mark.timeout(300)
def test_four_tasks_on_samples(mirror, tmp_path):
    "Words beat the majority where words decide; scores, intervals and a comparison come out for all four"
    runs = [o for b in (majority, tfidf) for o in run_glue(b, b.__name__, tmp_path, HERE, [0], most=(2000, 400), folder=mirror)]
    board = scoreboard(runs, 200).set_index(["model", "task", "metric"])
    assert len(runs) == 8 and (board.low <= board.value).all() and (board.value <= board.high).all() and (board["rows"] <= 400).all()
    d = duel(runs, "majority", "tfidf", 200).set_index("task")
    assert d.low["sst2"] > .05 and d.low["stsb"] > .4 and d.p["sst2"] < .01 and np.isnan(d.p["stsb"])
    assert all(TASKS[o].metrics[0] == d.metric[o] for o in HERE)

SLOW = """import sys, time
from l1g1000.evaluate.glue import majority, run_glue
def learn(train, dev, seed):
    print(seed, flush=True)
    time.sleep(0 if seed < 2 else 600)
    return majority(train, dev)
run_glue(learn, "slow", sys.argv[1], ["rte"], range(4), folder=sys.argv[2])"""

def test_a_run_that_is_killed_goes_on(tmp_path):
    for part,n in (("train", 60), ("validation", 20)):
        (tmp_path/"glue"/"rte").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(dict(sentence1=[f"first {i}" for i in range(n)], sentence2=[f"second {i}" for i in range(n)], label=[i%2 for i in range(n)])).to_parquet(tmp_path/"glue"/"rte"/f"{part}.parquet")
    p = subprocess.Popen([sys.executable, "-c", SLOW, tmp_path/"out", tmp_path], stdout=subprocess.PIPE, text=True)
    while p.stdout.readline().strip() != "2": assert p.poll() is None # the third training has begun
    p.send_signal(signal.SIGKILL)
    p.communicate()
    files = sorted((tmp_path/"out"/"slow").iterdir())
    assert [o.name for o in files] == ["rte-0.json", "rte-1.json"]
    before, seen = [o.read_bytes() for o in files], []
    def learn(train, dev, seed):
        seen.append(seed)
        return majority(train, dev)
    done = run_glue(learn, "slow", tmp_path/"out", ["rte"], range(4), folder=tmp_path)
    assert seen == [2, 3] and [o["seed"] for o in done] == [0, 1, 2, 3] and [o.read_bytes() for o in files] == before
    assert {read_json(o)["scores"]["accuracy"] for o in (tmp_path/"out"/"slow").iterdir()} == {.5}

def test_results_of_other_rows_are_not_read(tmp_path):
    "The same folder and name, but other rows to report on"
    def rows(word):
        for part,n in (("train", 60), ("validation", 20)):
            (tmp_path/"glue"/"sst2").mkdir(parents=True, exist_ok=True)
            pd.DataFrame(dict(sentence=[f"{word} {i} {i} {i}" for i in range(n)], label=[i%2 for i in range(n)])).to_parquet(tmp_path/"glue"/"sst2"/f"{part}.parquet")
    rows("one")
    run_glue(majority, "m", tmp_path/"out", ["sst2"], [0], folder=tmp_path)
    rows("other")
    with pytest.raises(ValueError, match="was made with {'data'"): run_glue(majority, "m", tmp_path/"out", ["sst2"], [0], folder=tmp_path)
