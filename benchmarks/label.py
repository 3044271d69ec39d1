"""How our labelling page compares: the label model with the majority vote, crowd-kit and snorkel, and vote_summary with snorkel's figures.

    python benchmarks/label.py [--seeds 10]

Votes of made-up functions with known accuracy (unlike and alike, abstaining at random, with a clique of copies), ten seeds each. A peer that is not installed
is left out and named: pip install crowd-kit snorkel. Times are medians of interleaved runs, given as multiples of the majority vote's.
Writes label.json here.
"""
import argparse, time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
import numpy as np, pandas as pd
from l1g1000.core import progress, write_json
from l1g1000.data.label import LabelModel, majority_vote, vote_summary

HERE, K = Path(__file__).parent, 4
CASES = {"30 rows":dict(n=30), "2,000 rows":dict(n=2000), "2,000 rows, abstaining two times in three":dict(n=2000, cover=1/3),
    "200 rows, all 65 % right":dict(n=200, low=.65, high=.65), "2,000 rows, 5 copies of a bad one":dict(n=2000, copies=5)}

def pretend(n, seed, J=10, cover=.6, low=.3, high=.95, copies=0):
    "Codes (−1: abstained), truth, true accuracies of independent functions, and copies of one that is 40 % right"
    rng = np.random.default_rng(seed)
    acc, y = rng.uniform(low, high, J), rng.integers(K, size=n)
    acc = np.r_[acc, [.4]*bool(copies)]
    c = np.where(rng.random((n, len(acc))) < acc, y[:, None], (y[:, None] + rng.integers(1, K, (n, len(acc))))%K)
    c[:, :J][rng.random((n, J)) > cover] = -1
    return (np.concatenate([c[:, :J], np.repeat(c[:, J:], copies, 1)], 1) if copies else c), y, np.r_[acc[:J], [.4]*copies]

def table(c):
    labels = [f"label {k}" for k in range(K)]
    return pd.DataFrame({f"f{j}": pd.Categorical.from_codes(o, labels) for j,o in enumerate(c.T)})

def ours(c): return LabelModel().fit(v := table(c)).predict_proba(v).to_numpy()
def counted(c): return majority_vote(table(c)).to_numpy()

def crowdkit(c):
    from crowdkit.aggregation import DawidSkene
    i,j = np.nonzero(c >= 0)
    p = DawidSkene(n_iter=100).fit_predict_proba(pd.DataFrame(dict(task=i, worker=j, label=c[i, j])))
    return p.reindex(index=range(len(c)), columns=range(K)).fillna(1/K).to_numpy()

def snorkel(c):
    from snorkel.labeling.model import LabelModel as Theirs
    m = Theirs(cardinality=K, verbose=False)
    m.fit(c, n_epochs=500, seed=0, progress_bar=False)
    return m.predict_proba(c)

def right(p, y):
    "The share of right labels; where several are best, the chance of drawing the right one"
    best = p >= p.max(1, keepdims=True) - 1e-9
    return float((best[np.arange(len(p)), y]/best.sum(1)).mean())

def found(p, c): return np.array([p[o >= 0, o[o >= 0]].mean() for o in c.T])

def same_summary():
    "The largest difference between vote_summary and snorkel's LFAnalysis"
    from snorkel.labeling import LFAnalysis
    c,y,_ = pretend(500, 0)
    a,b = vote_summary(table(c), [f"label {k}" for k in y]), LFAnalysis(c).lf_summary(y)
    return float(abs(a[["coverage", "overlap", "conflict", "accuracy"]].to_numpy() - b[["Coverage", "Overlaps", "Conflicts", "Emp. Acc."]].to_numpy()).max())

def installed(package):
    try: return version(package)
    except PackageNotFoundError: return None

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seeds", type=int, default=10, help="how many worlds for each case")
    a = p.parse_args()
    made_with = {k: installed(k) for k in ("crowd-kit", "snorkel", "numpy", "pandas")}
    methods = {"majority vote":counted, "ours":ours} | ({"crowd-kit":crowdkit} if made_with["crowd-kit"] else {}) | ({"snorkel":snorkel} if made_with["snorkel"] else {})
    rows, times = [], {m: [] for m in methods}
    for (case,kw),seed in progress([(o, s) for o in CASES.items() for s in range(a.seeds)], "label models", unit="world"):
        c,y,acc = pretend(seed=seed, **kw)
        for name,f in methods.items():
            start = time.perf_counter()
            q = f(c)
            if kw["n"] == 2000: times[name].append(time.perf_counter() - start)
            rows.append(dict(case=case, method=name, right=right(q, y), off=float(abs(found(q, c)-acc).mean())))
    t = pd.DataFrame(rows).groupby(["case", "method"], sort=False).agg(["mean", "std"]).round(4)
    t.columns = ["right", "right_sd", "accuracy_off_by", "accuracy_off_by_sd"]
    print(t.to_string())
    base = np.median(times["majority vote"])
    write_json(HERE/"label.json", dict(command="python benchmarks/label.py", made_with=made_with, chance=1/K, seeds=a.seeds, rows=t.reset_index().to_dict("records"),
        time_in_majority_votes={m: round(float(np.median(o)/base), 1) for m,o in times.items()},
        summary_differs_from_snorkel_by=same_summary() if made_with["snorkel"] else None))

if __name__ == "__main__": main()
