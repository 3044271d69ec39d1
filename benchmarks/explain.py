"""How steady the shares of the credit model's fields are, whether they add up, and how long a thousand applicants take.

    python benchmarks/explain.py

Trees learn three parts of four of the finance template's loans; the fourth, which they never saw, is explained. A seed cuts the rows anew and learns anew,
a background is drawn anew from the rows that were learnt from.
"""
import importlib.metadata, itertools, statistics, time
from pathlib import Path
import numpy as np
from l1g1000.adapt.tabular import fit_tabular, folds
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.evaluate.metrics import auc
from l1g1000.explain.shapley import agreement, attribute_trees, exact, permuted, rank_spread, sampled
from l1g1000.industry.template import inputs_of, load_template, task_of, task_rows

FILE, SEEDS, DRAWS, ROWS, BACKGROUNDS, BAR = Path(__file__).with_suffix(".json"), (0, 1, 2), 3, 1000, (10, 30, 100), 10

def run(loans, y, seed):
    "Importances by background's size and draw; the fall of the AUC; the largest gap; seconds"
    learn,test = folds(y, count=4, seed=seed)[0]
    model = fit_tabular(loans.iloc[learn], y[learn], seed=seed)
    fields, x, rng = model.encoder.fields, model.encoder.matrix(loans), np.random.default_rng(seed)
    out, gaps, took = {}, [], []
    for size,draw in itertools.product(BACKGROUNDS, range(DRAWS)):
        start = time.process_time()
        told = attribute_trees(model.arrays, x[test[:ROWS]], x[rng.choice(learn, size, replace=False)], fields)
        if size == BACKGROUNDS[-1]: took.append(time.process_time()-start)
        gaps.append(max(told.error, float(np.abs(told.scores - model.scores(loans.iloc[test[:ROWS]])[:, 0]).max())))
        out[size, draw] = told.importance
    fall = permuted(lambda r: model.scores(r)[:, 0], auc, loans.iloc[test], (y[test] == "good").astype(int), 5, seed).mean(0)
    return out, [fall[list(loans).index(k)] for k in fields], max(gaps), took, [*fields]

def orders(players=12, rounds=16, seeds=10):
    "How far ours and shap's orders are from the truth, in a game of which all coalitions are known"
    import shap
    strengths = np.random.default_rng(0).normal(size=(players,)*3)
    def game(m): return np.einsum("mi,mj,mk,ijk->m", m, m, m, strengths, dtype=float, optimize=True)
    truth = exact(game, players)
    def theirs(seed): return shap.PermutationExplainer(lambda z: game(z > .5), np.zeros((1, players)), seed=seed)(np.ones((1, players)), max_evals=rounds*(2*players+1), silent=True).values[0]
    off = {k: [float(np.abs(f(s)-truth).mean()/np.abs(truth).mean()) for s in range(seeds)] for k,f in dict(ours=lambda s: sampled(game, players, rounds, s), shap=theirs).items()}
    return dict(players=players, rounds=rounds, seeds=seeds) | {k: dict(mean=statistics.mean(v), spread=statistics.stdev(v)) for k,v in off.items()}

def summary(what, names, importances):
    spread = rank_spread(names, importances)
    return dict(redrawn=what, runs=len(importances), lowest_rank_correlation=agreement(importances), widest_span=max(o["high"]-o["low"] for o in spread), mean_span=statistics.mean(o["high"]-o["low"] for o in spread),
        first_three_alike=len({frozenset(np.argsort(-np.asarray(o))[:3].tolist()) for o in importances}) == 1)

def main():
    task = task_of(load_template("finance"))
    rows,about = task_rows(task)
    loans, y = inputs_of(task, rows), rows[task.target].to_numpy()
    runs = [run(loans, y, s) for s in progress(SEEDS, "seeds")]
    names, most = runs[0][4], BACKGROUNDS[-1]
    stability = [summary(f"background of {size}", names, [runs[0][0][size, d] for d in range(DRAWS)]) for size in BACKGROUNDS]
    stability += [summary("seed: rows and trees", names, [r[0][most, 0] for r in runs]), summary("both", names, [r[0][most, d] for r in runs for d in range(DRAWS)])]
    alike = [agreement([r[1], r[0][most, 0]]) for r in runs]
    write_json(FILE, dict(command="python benchmarks/explain.py", made_with=versions() + "".join(f", {o} {importlib.metadata.version(o)}" for o in ("shap", "scikit-learn", "numpy")), data=about["source"], rows=ROWS, background=most, seeds=list(SEEDS), additivity=max(r[2] for r in runs),
        bar_seconds=BAR, seconds_per_1000=statistics.median(t for r in runs for t in r[3])*1000/ROWS, ranks=rank_spread(names, [r[0][most, d] for r in runs for d in range(DRAWS)]), stability=stability, orders=orders(),
        permutation=dict(mean=statistics.mean(alike), low=min(alike), high=max(alike), each=alike)))

if __name__ == "__main__": main()
