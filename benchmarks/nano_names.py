"""How many names nano keeps after so many looks at each, by optimiser: benchmarks/nano_names.json.

    python benchmarks/nano_names.py [--only adamw-0.003 muon-0.01 ...] [--steps 400] [--every 8]

Naming pictures is three quarters of nano's recipe, so this is the part that was tuned: an eighth of the concepts, pictures of the styles that
are learnt from, names in 122 languages, from the same start and the same rows. After the last step it must write the exact name, in a language
drawn by chance, of a picture in a style that it saw, and in one that it never saw. The style of the test has no part in it. Chance is one of
all names. Five minutes a try on two quiet cores; a try that is done stands in the file.
"""
import argparse, time
from dataclasses import replace
from pathlib import Path
import numpy as np, torch
from torch.optim import AdamW, Muon
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, seed_everything, write_json
from l1g1000.model.moe import balance
from l1g1000.model.transformer import PATCH, Transformer
from l1g1000.nano.documents import Directions, Mixture, Senses
from l1g1000.nano.facts import DEV_STYLE, gather
from l1g1000.nano.model import Nano, Prompt
from l1g1000.nano.train import Tokens, find_tokens, nano_config
from l1g1000.train.batches import take
from l1g1000.train.optim import Together, kinds, make_optimizer, schedule

OUT = Path(__file__).with_suffix(".json")

def matrices_only(model, lr, decay):
    "Muon as torch has it: stacks of experts are left to AdamW"
    k = kinds(model)
    return Together(AdamW([dict(params=k["table"]+k["stack"], weight_decay=decay), dict(params=k["vector"], weight_decay=0.)], lr=lr, betas=(.9, .95)),
        Muon(k["matrix"], lr=lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))

MAKERS = {"adamw": lambda m, lr, d: make_optimizer(m, "adamw", lr, d), "matrices": matrices_only, "muon": lambda m, lr, d: make_optimizer(m, "muon", lr, d)}
TRIES = [(name, lr) for name in MAKERS for lr in (3e-3, 1e-2)] + [("muon", 2e-2)]

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", choices=(all_ := [f"{n}-{lr:g}" for n,lr in TRIES]), default=all_)
    p.add_argument("--steps", type=int, default=400)
    p.add_argument("--rows", type=int, default=16, help="in a step")
    p.add_argument("--every", type=int, default=8, help="take one concept in so many")
    return p.parse_args()

class Task:
    "The facts about some of the concepts, and what is asked in the end"
    def __init__(self, a, asked=1000):
        self.tokens = Tokens.load(find_tokens("nano-tokens"))
        facts = gather(self.tokens.text, self.tokens.image, self.tokens.audio)
        held = facts.name.copy()
        held[facts.name[:, 0]%a.every > 0, 2] = 1 # not learnt, as if held away
        self.facts = replace(facts, name=held)
        self.directions, self.senses = Directions(self.facts, self.tokens.vocabulary), Senses(self.facts, self.tokens.vocabulary)
        self.mixture = Mixture(self.directions, a.steps*a.rows, 256, 0, {("picture", "text"): 1.})
        rng, self.asked = np.random.default_rng(0), {}
        for kind,style in (("seen", "noto"), ("unseen", DEV_STYLE)):
            rows = [r for r in np.flatnonzero(facts.look[:, 1] == facts.lists["style"].index(style)) if facts.look[r, 0]%a.every == 0]
            rows = rng.choice(rows, asked)
            self.asked[kind] = rows, [int(rng.choice(np.flatnonzero(self.directions.at[facts.look[r, 0]] >= 0))) for r in rows]

    def exact(self, model, kind):
        "The share of names that are written as they stand"
        f, nano = self.facts, Nano(model.eval(), self.tokens)
        rows, langs = self.asked[kind]
        said = [o for i in range(0, len(rows), 250) for o,_ in nano.write([Prompt([PATCH], patches=f.looks[r:r+1].astype(np.float32)) for r in rows[i:i+250]], [f.lists["lang"][l] for l in langs[i:i+250]])]
        model.train()
        return float(np.mean([o == self.tokens.text.decode(f.pieces[self.directions.at[f.look[r, 0], l]].tolist()) for o,r,l in zip(said, rows, langs)]))

def learn(task, name, lr, a):
    "One try → its loss over the steps, and what it knows in the end"
    seed_everything(0)
    model, losses, start = Transformer(nano_config(task.tokens.vocabulary)).train(), [], time.perf_counter()
    opt = MAKERS[name](model, lr, .02)
    for i in (bar := progress(range(a.steps), f"{name} {lr:g}", unit="step")):
        for g in opt.param_groups: g["lr"] = lr*schedule("linear", i, a.steps, a.steps//6, .05)
        loss,n = task.senses(model, take(task.mixture, range(i*a.rows, (i+1)*a.rows)))
        (loss/n).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
        opt.step(); opt.zero_grad(); balance(model)
        losses.append(loss.item()/n.item())
        bar.set_postfix_str(f"loss {losses[-1]:.3f}")
    return dict(loss=[float(np.mean(losses[i:i+20])) for i in range(0, a.steps, 20)], seconds=time.perf_counter()-start) | {k: task.exact(model, k) for k in task.asked}

def first(mixture, most=20): return [mixture[i] for i in range(min(most, len(mixture)))]

def main():
    a = options()
    task = Task(a)
    names, per_row = len(task.directions.names), np.mean([int(row["documents"].max())+1 for row in first(task.mixture)])
    same = dict(steps=a.steps, rows=a.rows, every=a.every, names=names, looks=a.steps*a.rows*per_row/names, chance=1/names, asked=len(task.asked["seen"][0]))
    done = read_json(OUT) if OUT.is_file() else {}
    if {k: done.get(k) for k in same} != same: done = same | dict(tries={})
    for name,lr in TRIES:
        key = f"{name}-{lr:g}"
        if key not in a.only or key in done["tries"]: continue
        done["tries"][key] = learn(task, name, lr, a)
        write_json(OUT, done | dict(command="python benchmarks/nano_names.py", versions=versions(), threads=torch.get_num_threads()))
        print(f"{key}: loss {done['tries'][key]['loss'][-1]:.3f}, exact names {done['tries'][key]['seen']:.1%} of a seen style, {done['tries'][key]['unseen']:.1%} of an unseen one", flush=True)

if __name__ == "__main__": main()
