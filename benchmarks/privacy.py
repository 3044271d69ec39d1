"""What a promise costs, and what it stops: DP-SGD on credit scoring and on messages to a clinic, and two attacks on models with and without it.

    python benchmarks/privacy.py            # all of it, about three minutes on one core
    python benchmarks/privacy.py attack     # one of credit, text, attack, anew

Scales of the inputs and settings come from rows that are not private: a fifth of the loans, a tenth of the messages, and another data set of text. So the epsilon that is told
is all that was spent. A seed cuts the private rows anew, groups whole, and begins the learning anew.
Writes privacy.json here.
"""
import itertools, sys, tempfile
from pathlib import Path
import numpy as np, torch
from torch import nn
from l1g1000.adapt.backbone import open_reader
from l1g1000.adapt.tabular import Encoder, fit_tabular, folds
from l1g1000.chain import versions
from l1g1000.core import read_json, seed_everything, write_json
from l1g1000.data.samples import load_sample
from l1g1000.data.tables import Column, check_rows
from l1g1000.evaluate.metrics import accuracy, auc
from l1g1000.privacy.attack import advantage, attack_curve, confidence, found_at, likelihood_ratios, lucky_advantage, train_halves
from l1g1000.privacy.dpsgd import Privacy, PrivateRun, class_losses, fit_private
from l1g1000.train.engine import Trainer
from l1g1000.train.settings import TrainConfig

FILE, SEEDS, EPSILONS, DELTA = Path(__file__).with_suffix(".json"), 10, (1, 3, 8), 1e-5

def ordinary(model, data, cfg):
    "The ordinary loop of page 48"
    with tempfile.TemporaryDirectory() as tmp: Trainer(model, data, cfg, tmp, loss_of=lambda m,b: (class_losses(m, b).sum(), torch.tensor(len(b["y"]))), say=list).fit()

def said(model, x):
    with torch.no_grad(): return model.eval()(torch.as_tensor(x)).numpy()

def learn(new, x, y, settings, epsilon, seed):
    "A model, and what it cost; with an epsilon of `None` nothing is promised"
    seed_everything(seed)
    cfg, data = TrainConfig(**settings | dict(batch_size=min(len(y), settings["batch_size"]))), dict(x=torch.as_tensor(x), y=torch.as_tensor(y))
    model = new(x.shape[1])
    if epsilon is None: ordinary(model, data, cfg)
    return model, None if epsilon is None else fit_private(model, data, PrivateRun(cfg, Privacy(epsilon, DELTA)), seed=seed)

def choose(grid, score):
    "The settings with the best mean score of three seeds"
    tried = [dict(settings=s, score=float(np.mean([score(s, seed) for seed in range(3)]))) for s in ({k: v for k,v in zip(grid, o)} for o in itertools.product(*grid.values()))]
    return max(tried, key=lambda o: o["score"])["settings"], tried

def curve(task, chosen):
    "The score of each seed at each epsilon; `task(settings, epsilon, seed)` → a score, and what it cost"
    runs = [dict(epsilon=e, seed=s) for e in (*EPSILONS, None) for s in range(SEEDS)]
    for o in runs:
        o["score"], cost = task(chosen["private" if o["epsilon"] else "ordinary"], o["epsilon"], o["seed"])
        if cost: o |= {k: cost[k] for k in ("noise", "steps", "chance", "opacus", "google")}
        print(o, file=sys.stderr, flush=True)
    at = {e: [o["score"] for o in runs if o["epsilon"] == e] for e in (*EPSILONS, None)}
    return dict(runs=runs, summary=[dict(epsilon=e, mean=float(np.mean(v)), spread=float(np.std(v, ddof=1)), loss=float(np.mean(np.subtract(at[None], v)))) for e,v in at.items()])

# Credit: a small network, AUC

def loans():
    rows = load_sample("credit")
    y = (rows["Status"] == "bad").to_numpy().astype(int)
    rows = check_rows(rows, {k: Column(missing=True) if k in ("Home", "Marital", "Records", "Job") else Column("number", missing=True) for k in rows if k != "Status"})
    private,public = folds(y, count=5, seed=99)[0]
    enc = Encoder.fit(rows.iloc[public])
    return rows, enc.places(enc.matrix(rows)), y, private, public

def network(width=32): return lambda inputs: nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 2))
def risk(model, x): return (s := said(model, x))[:, 1] - s[:, 0]

def credit():
    rows, x, y, private, public = loans()
    def tuned(epsilon):
        def score(settings, seed):
            a,b = (public[o] for o in folds(y[public], count=3, seed=seed)[0])
            a = np.random.default_rng(seed).choice(a, len(private)*4//5) # as many as there will be, so that the noise is the same
            return auc(y[b], risk(learn(network(), x[a], y[a], settings, epsilon, seed)[0], x[b]))
        return score
    best = {k: choose(dict(batch_size=[512], steps=[60, 150], lr=[.003, .01, .03], clip=[0.]), tuned(e)) for k,e in (("private", 3), ("ordinary", None))}
    parts = [tuple(private[o] for o in folds(y[private], count=5, seed=s)[0]) for s in range(SEEDS)]
    def task(settings, epsilon, seed):
        a,b = parts[seed]
        model,cost = learn(network(), x[a], y[a], settings, epsilon, seed)
        return auc(y[b], risk(model, x[b])), cost
    rivals = {how: [auc(y[b], (m := fit_tabular(rows.iloc[a], y[a].astype(str), how, seed=s)).predict_proba(rows.iloc[b])[:, m.classes.index("1")]) for s,(a,b) in enumerate(parts)] for how in ("linear", "net", "trees")}
    return dict(metric="auc", baseline=.5, rows=len(parts[0][0]), tested=len(parts[0][1]), chosen={k: v[0] for k,v in best.items()}, tried={k: v[1] for k,v in best.items()}, rivals={k: float(np.mean(v)) for k,v in rivals.items()}) | curve(task, {k: v[0] for k,v in best.items()})

# Text: a linear head on a frozen reader, accuracy

def text():
    reader, names = open_reader("minilm"), dict(questions="office", consultations="department")
    rows = {k: load_sample(k).query("lang == 'en'") for k in names}
    seen = {k: reader.vectors(o["text"].tolist()) for k,o in rows.items()}
    scale = seen["questions"].std(0) + 1e-6
    def tasks(name, size=None):
        classes,y = np.unique(rows[name][names[name]].to_numpy().astype(str), return_inverse=True)
        groups = rows[name]["group"].to_numpy()
        private,public = folds(y, groups, count=10, seed=99)[0]
        x = (seen[name] - seen[name][public].mean(0))/scale
        x = x/np.linalg.norm(x, axis=1, keepdims=True)
        def new(inputs):
            model = nn.Linear(inputs, len(classes), bias=False)
            nn.init.zeros_(model.weight)
            return model
        parts = [tuple(private[o] for o in folds(y[private], groups[private], count=5, seed=s)[0]) for s in range(SEEDS)]
        def task(settings, epsilon, seed):
            a,b = parts[seed]
            if size: a = np.random.default_rng(seed).choice(a, size) # as many as there will be, so that the noise is the same
            model,cost = learn(new, x[a], y[a], settings, epsilon, seed)
            return accuracy(y[b], said(model, x[b]).argmax(1)), cost
        return task, parts, y
    task,parts,y = tasks("consultations")
    elsewhere = tasks("questions", len(parts[0][0]))[0]
    grid = dict(batch_size=[10**4], lr=[.01, .03, .1], lr_scheduler=["constant"], clip=[0.], weight_decay=[0.])
    best = {k: choose(grid | dict(steps=s), lambda settings, seed, e=e: elsewhere(settings, e, seed)[0]) for k,e,s in (("private", 8, [5, 15, 40, 100]), ("ordinary", None, [60, 200]))}
    majority = float(np.mean([np.mean(y[b] == np.bincount(y[a]).argmax()) for a,b in parts]))
    return dict(metric="accuracy", baseline=majority, rows=len(parts[0][0]), tested=len(parts[0][1]), chosen={k: v[0] for k,v in best.items()}, tried={k: v[1] for k,v in best.items()}) | curve(task, {k: v[0] for k,v in best.items()})

# Attacks: 300 of 600 loans in each of 32 networks

GRID = np.logspace(-3, 0, 31)

def plain(new, x, y, steps, seed):
    "A network, all rows in each step; logs and checkpoints for hundreds of them would only take time"
    seed_everything(seed)
    model, x, y = new(x.shape[1]), torch.as_tensor(x), torch.as_tensor(y)
    opt = torch.optim.AdamW(model.parameters(), .01, weight_decay=0)
    for _ in range(steps):
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    return model

def attack():
    _, x, y, private, public = loans()
    quietly, out = dict(batch_size=150, steps=60, lr=.01, clip=0.), []
    for name,steps,epsilon in (("by heart", 300, None), ("stopped early", 30, None), *((f"ε = {e}", 60, e) for e in EPSILONS[::-1])):
        seen = []
        for seed in range(3):
            own, rest = np.split(np.random.default_rng(seed).permutation(private), [600])
            useful = []
            def fit(rows, number):
                a = own[rows]
                if epsilon: model = learn(network(128), x[a], y[a], quietly, epsilon, 1000*seed + number)[0]
                else: model = plain(network(128), x[a], y[a], steps, 1000*seed + number)
                useful.append(auc(y[rest], risk(model, x[rest])))
                return confidence(said(model, x[own]), y[own])
            inside,given = train_halves(fit, 600, 32, seed)
            for way,s in (("threshold", given), ("ratio", likelihood_ratios(inside, given))):
                m, o = s[inside], s[~inside]
                f, t = attack_curve(m, o)
                seen.append(dict(attack=way, seed=seed, advantage=advantage(m, o), luck=lucky_advantage(m, o, 100, seed), found_at_1_percent=found_at(m, o), found_at_1_in_1000=found_at(m, o, .001), auc=auc(np.r_[np.ones(len(m)), np.zeros(len(o))].astype(int), np.r_[m, o]),
                    useful=float(np.mean(useful)), curve=np.interp(GRID, f, t).round(5).tolist()))
            print(name, seen[-2:] and [{k: v for k,v in o.items() if k != "curve"} for o in seen[-2:]], file=sys.stderr, flush=True)
        for way in ("threshold", "ratio"):
            these = [o for o in seen if o["attack"] == way]
            out.append(dict(model=name, epsilon=epsilon, attack=way, curve=np.mean([o["curve"] for o in these], 0).round(5).tolist()) | {k: dict(mean=float(np.mean(v := [o[k] for o in these])), spread=float(np.std(v, ddof=1))) for k in these[0] if k not in ("attack", "seed", "curve")})
    return dict(rows=600, learnt=300, models=32, seeds=3, accused=GRID.round(6).tolist(), results=out)

def main(only=None):
    kept = read_json(FILE) if FILE.is_file() else {}
    for f in (credit, text, attack):
        if only not in (None, f.__name__): continue
        try: kept |= {f.__name__: f()}
        except ConnectionError as e: print(f"{f.__name__} is left out: {e}", file=sys.stderr)
        write_json(FILE, dict(command="python benchmarks/privacy.py", made_with=versions(), delta=DELTA) | {k: v for k,v in kept.items() if k not in ("command", "made_with", "delta")})
    for k in ("credit", "text"):
        if k in kept: print(k, kept[k]["metric"], *(f"ε={o['epsilon'] or '∞'}: {o['mean']:.3f} ± {o['spread']:.3f} (−{o['loss']:.3f})" for o in kept[k]["summary"]), f"baseline {kept[k]['baseline']:.3f}", kept[k].get("rivals", ""))
    for o in kept.get("attack", {}).get("results", []): print(o["model"], o["attack"], *(f"{k} {o[k]['mean']:.3f} ± {o[k]['spread']:.3f}" for k in ("advantage", "luck", "found_at_1_percent", "useful")))

if __name__ == "__main__": main(*sys.argv[1:2])
