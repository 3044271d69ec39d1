"A Dask cluster of two workers cleans as one process does, and clean is the same whatever the batches"
import numpy as np, pandas as pd, pytest
from l1g1000.data.clean import clean, clean_dask
from l1g1000.data.language import near_text
from l1g1000.data.rules import charset, exact, length, mask_private, mend_text, repetition

RULES = [mend_text("text"), mask_private("text"), length("text", 2, 80), charset("text"), repetition("text"), exact("text"), near_text("text")]

def table(n=2000, seed=0):
    "Sentences of a few words, with faults, and duplicates that lie far apart"
    rng = np.random.default_rng(seed)
    words = "red green heart stone river moyo café straße 红心 сердце window garden morning silver".split()
    texts = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(n)]
    for i in rng.choice(n, n//5, replace=False): texts[i] = ["", None, texts[i].upper() + "!", texts[i] + "\x07", "aaaaaaaa", texts[i] + " a@b.org", texts[i].encode().decode("latin-1")][rng.integers(7)]
    return pd.DataFrame(dict(text=texts, n=range(n)))

def reasons(report): return list(zip(report.dropped["row"], report.dropped["reason"]))

@pytest.fixture(scope="module")
def one():
    kept,report = clean(table(), RULES)
    kinds = set(report.counts.index)
    assert {"duplicate: exact", "duplicate: near text", "length", "missing", "charset", "repetition"} <= kinds, kinds
    return kept, report

def test_two_workers_give_the_identical_result(one):
    distributed, dd = pytest.importorskip("distributed"), pytest.importorskip("dask.dataframe")
    kept,report = one
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
        assert len(client.scheduler_info()["workers"]) == 2
        for parts in (2, 7):
            far,said = clean_dask(dd.from_pandas(table(), npartitions=parts), RULES)
            assert reasons(said) == reasons(report) and said.mended == report.mended and said.rows == report.rows
            pd.testing.assert_frame_equal(far.compute(), kept, check_dtype=False)

@pytest.mark.parametrize("how", [dict(batch_size=1), dict(batch_size=333), dict(num_proc=2, batch_size=500)], ids=str)
def test_batches_and_processes_change_nothing(one, how):
    kept,report = clean(table(), RULES, **how)
    assert reasons(report) == reasons(one[1]) and report.mended == one[1].mended
    pd.testing.assert_frame_equal(kept, one[0])

def test_rules_travel_once_to_each_process(tmp_path):
    "A rule may be as heavy as a model: it must not be sent again with every batch"
    log = tmp_path/"arrived"
    def arrive(path):
        with open(path, "a") as f: f.write("x")
        return lambda row: None
    class Heavy:
        def __call__(self, row): return None
        def __reduce__(self): return arrive, (str(log),)
    clean(table(), [Heavy()], num_proc=2, batch_size=50)
    assert 1 <= len(log.read_text()) <= 2

def test_the_first_of_equal_rows_stays(one):
    "A plain account of exact duplicates, beside ours"
    kept,report = clean(table(), [exact("text")])
    texts = table()["text"]
    assert list(kept["n"]) == list(np.flatnonzero(~texts.duplicated()))

def test_slices_of_keys_change_nothing(one, monkeypatch):
    import l1g1000.data.clean as module
    monkeypatch.setattr(module, "SLICE", 97)
    assert reasons(clean(table(), RULES)[1]) == reasons(one[1])

def test_a_change_of_the_data_changes_the_answer(one):
    "The checks above are not blind"
    assert reasons(clean(table(seed=1), RULES)[1]) != reasons(one[1])
    assert reasons(clean(table(), RULES[:-1])[1]) != reasons(one[1])
