"""nano's sparse Transformer against a dense one of equal active size, on the same rows: benchmarks/nano_sparse.json.

    python benchmarks/nano_sparse.py [--steps 150] [--seeds 0 1 2]

The dense peer has the same layers, and a feed-forward as wide as the shared expert and the two that work on a token together. Both read the
same packed rows in the same order from the same start, as many at once and with the optimiser and the rate of the recipe nano, which falls to
its end in these few steps; the loss is that of the evaluations' style and voice. Times are taken interleaved, step by step, in the same run, and
hold the optimiser's work. Some fifty minutes on one core; a pair that is done stands in the file.
"""
import argparse, statistics, time
from pathlib import Path
import numpy as np, torch
import l1g1000
from l1g1000.chain import versions
from l1g1000.config import load_config
from l1g1000.core import progress, read_json, seed_everything, write_json
from l1g1000.model.moe import balance
from l1g1000.model.transformer import Transformer
from l1g1000.nano.documents import Directions, Mixture, Senses
from l1g1000.nano.facts import gather
from l1g1000.nano.train import NanoRecipe, Tokens, find_tokens, nano_config, watch
from l1g1000.train.batches import take
from l1g1000.train.optim import make_optimizer, schedule

OUT = Path(__file__).with_suffix(".json")
RECIPE = load_config(NanoRecipe, Path(l1g1000.__file__).parent/"recipes"/"nano.yaml").train

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=150)
    p.add_argument("--rows", type=int, default=RECIPE.batch_size, help="in a step")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return p.parse_args()

def shapes(vocab):
    "Two shapes with the same number of parameters at work on a token, the router aside"
    sparse = nano_config(vocab)
    dense = nano_config(vocab, num_experts=0, expert_size=None, intermediate_size=sparse.shared_size + sparse.experts_per_token*sparse.expert_size)
    gap = sparse.params().active/dense.params().active - 1
    if not 0 <= gap < .01: raise RuntimeError(f"the active sizes differ by {gap:.1%}")
    return dict(sparse=sparse, dense=dense)

def race(cfgs, mixture, senses, seed, a):
    "Train all side by side → models, and the seconds of each step"
    models, took = {}, {k: [] for k in cfgs}
    for k,c in cfgs.items():
        seed_everything(seed)
        models[k] = Transformer(c).train()
    opts = {k: make_optimizer(m, RECIPE.optimizer, RECIPE.lr, RECIPE.weight_decay) for k,m in models.items()}
    for i in progress(range(a.steps), f"seed {seed}", unit="step"):
        batch = take(mixture, range(i*a.rows, (i+1)*a.rows))
        for k in list(models) if i%2 else list(models)[::-1]:
            torch.manual_seed(i) # the same noise for both
            t = time.perf_counter()
            for g in opts[k].param_groups: g["lr"] = RECIPE.lr*schedule("linear", i, a.steps, a.steps//10, RECIPE.floor)
            loss,n = senses(models[k], batch)
            (loss/n).backward()
            torch.nn.utils.clip_grad_norm_(models[k].parameters(), 1.)
            opts[k].step(); opts[k].zero_grad(); balance(models[k])
            took[k].append(time.perf_counter()-t)
    return models, took

def main():
    a = options()
    tokens = Tokens.load(find_tokens("nano-tokens"))
    facts, vocab = gather(tokens.text, tokens.image, tokens.audio), tokens.vocabulary
    senses, cfgs = Senses(facts, vocab), shapes(vocab)
    judge = watch(Directions(facts, vocab, dev=True), senses, 256, 96)
    done = read_json(OUT) if OUT.is_file() else {}
    if (done.get("steps"), done.get("rows")) != (a.steps, a.rows): done = dict(steps=a.steps, rows=a.rows, seeds={})
    for seed in a.seeds:
        if str(seed) in done["seeds"]: continue
        models,took = race(cfgs, Mixture(Directions(facts, vocab), a.steps*a.rows, 256, seed), senses, seed, a)
        done["seeds"][str(seed)] = {k: judge(m.eval()) for k,m in models.items()} | dict(time_ratio=statistics.median(s/d for s,d in zip(took["sparse"][5:], took["dense"][5:])))
        done |= dict(command="python benchmarks/nano_sparse.py", versions=versions(), threads=torch.get_num_threads(), parameters={k: dict(total=c.params().total, active=c.params().active) for k,c in cfgs.items()},
            loss={k: [o[k]["loss"] for o in done["seeds"].values()] for k in cfgs}, time_ratio=float(np.median([o["time_ratio"] for o in done["seeds"].values()])))
        write_json(OUT, done)

if __name__ == "__main__": main()
