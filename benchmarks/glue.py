"""Scores on four tasks of GLUE: MiniLM (22 M) with all weights trained, MiniLM and SmolLM2 (135 M) frozen, beside the majority and counts of words.

    L1G1000_DATA=FOLDER python benchmarks/glue.py [--models minilm …] [--tasks rte …] [--seeds 0 1 2] [--out out/glue]
    L1G1000_DATA=FOLDER python benchmarks/glue.py --choose rte

A training on one core takes minutes to half an hour: each that is done is a file in out/glue, one that was killed goes on from where it was saved last, and glue.json
here is written anew after each model. --choose trains every candidate recipe on a part of the training rows and scores it on rows set apart from them: the rows that are
reported choose nothing. Without the data glue.json stays as it is.
"""
import argparse
from functools import partial
from pathlib import Path
import numpy as np, torch
from torch import nn
from torch.nn.functional import cross_entropy
from l1g1000.adapt.backbone import minilm
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, remove, write_json
from l1g1000.evaluate.glue import duel, find_task, glue_rows, kin_of, majority, run_glue, scoreboard, scores_of, set_apart, tfidf
from l1g1000.model.hub import smollm2
from l1g1000.train.engine import Trainer
from l1g1000.train.settings import TrainConfig

HERE = Path(__file__).parent
LONGEST = 128 # tokens of a text or a pair; the longer side of a pair is cut
RECIPES = dict(rte=dict(lr=1e-4, epochs=4), mrpc=dict(lr=1e-4, epochs=3), stsb=dict(lr=1e-4, epochs=3), sst2=dict(lr=1e-4, epochs=1, batch=32))
CANDIDATES = dict(rte=[dict(lr=lr, epochs=4) for lr in (5e-5, 1e-4, 2e-4)], mrpc=[dict(lr=lr, epochs=3) for lr in (5e-5, 1e-4, 2e-4)],
    stsb=[dict(lr=lr, epochs=3) for lr in (5e-5, 1e-4, 2e-4)], sst2=[dict(lr=lr, epochs=1, batch=32) for lr in (5e-5, 1e-4)])
def encoder():
    "MiniLM and its tokenizer"
    from transformers import AutoModel, AutoTokenizer
    return AutoModel.from_pretrained(minilm(), local_files_only=True, add_pooling_layer=False), AutoTokenizer.from_pretrained(minilm(), local_files_only=True)

def batches(tok, texts, size, rng=None):
    "Row numbers and tensors, batch by batch, texts of like length together; with `rng` each batch is drawn from a window of 50"
    sides = [list(texts)] if isinstance(texts[0], str) else [list(o) for o in zip(*texts)]
    ids = tok(*sides, truncation=True, max_length=LONGEST)
    length, order = np.array([len(o) for o in ids["input_ids"]]), np.arange(len(texts)) if rng is None else rng.permutation(len(texts))
    window = len(order) if rng is None else 50*size
    for i in range(0, len(order), window):
        part = order[i:i+window]
        part = part[np.argsort(length[part], kind="stable")]
        for j in range(0, len(part), size): yield (at := part[j:j+size]), dict(tok.pad({k: [v[n] for n in at] for k,v in ids.items()}, return_tensors="pt"))

def pooled(h, weight): return (h*weight[..., None]).sum(1)/weight.sum(1, keepdim=True).clamp(min=1)

def unit(x): return nn.functional.normalize(x, dim=-1)*x.shape[-1]**.5 # columns of about 1

class Net(nn.Module):
    "MiniLM reads both texts at once; a linear layer sees [CLS], the mean of all, and for pairs how the means of the two sides differ and agree"
    def __init__(self, net, pair, answers):
        super().__init__()
        self.net, self.pair, self.drop = net, pair, nn.Dropout(.1)
        self.head = nn.Linear(net.config.hidden_size*(4 if pair else 2), answers)
        nn.init.zeros_(self.head.weight) # a new layer must not shake the old ones
        nn.init.zeros_(self.head.bias)

    def forward(self, **b): # (B, answers)
        h = self.net(**b).last_hidden_state
        mask, second = (b[k].to(h.dtype) for k in ("attention_mask", "token_type_ids"))
        seen = [unit(h[:, 0]), unit(pooled(h, mask))]
        if self.pair:
            u,v = unit(pooled(h, mask*(1-second))), unit(pooled(h, mask*second))
            seen += [(u-v).abs(), u*v]
        return self.head(self.drop(torch.cat(seen, -1)))

def loss_of(net, batch):
    b = {k: v[0] for k,v in batch.items()} # a row of the trainer is a whole batch here
    y = b.pop("labels")
    z = net(**b)
    return (cross_entropy(z, y, reduction="sum") if z.shape[1] > 1 else ((torch.sigmoid(z[:, 0])-y)**2).sum()*4), torch.tensor(float(len(y)))

class Tuned:
    "A trained net that answers with names of labels, or numbers"
    def __init__(self, net, tok, labels): self.net, self.tok, self.labels = net.eval(), tok, labels

    @torch.inference_mode()
    def predict(self, texts):
        out, device = [None]*len(texts), next(self.net.parameters()).device
        for at,b in batches(self.tok, texts, 64):
            z = self.net(**{k: v.to(device) for k,v in b.items()}).cpu()
            for i,o in zip(at, z.argmax(1).tolist() if self.labels else (5*torch.sigmoid(z[:, 0])).tolist()): out[i] = self.labels[o] if self.labels else o
        return out

def finetune(train, dev, seed, name, recipe, work):
    "Train all weights of MiniLM; `dev` is not looked at"
    t, size = find_task(name), recipe.get("batch", 16)
    net, tok = encoder()
    y = torch.from_numpy(train.labels/5).float() if not t.labels else torch.tensor([t.labels.index(o) for o in train.labels])
    torch.manual_seed(seed)
    net = Net(net, not isinstance(train.texts[0], str), len(t.labels) or 1)
    data = [b | dict(labels=y[torch.from_numpy(at)]) for at,b in batches(tok, train.texts, size, np.random.default_rng(seed))]
    steps = recipe["epochs"]*len(data)
    cfg = TrainConfig(lr_scheduler="linear", batch_size=1, steps=steps, lr=recipe["lr"], warmup=steps//10, floor=0., weight_decay=.01, seed=seed, log_every=20, save_every=50, keep=1)
    trainer = Trainer(net, data, cfg, work, loss_of)
    trainer.fit()
    remove(work)
    return Tuned(trainer.result, tok, t.labels)

def frozen(train, dev, seed, read):
    "A linear model over vectors of a model that is not trained"
    from sklearn.linear_model import LogisticRegressionCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    class Linear:
        def features(self, texts):
            if isinstance(texts[0], str): return read(texts)
            u,v = (read([o[i] for o in texts]) for i in (0, 1))
            return np.concatenate([u*v*np.sqrt(u.shape[1]), abs(u-v), (u*v).sum(1, keepdims=True)], 1)
        def predict(self, texts): return self.model.predict(self.features(texts)).tolist()
    o = Linear()
    head = RidgeCV(np.logspace(0, 4, 9)) if train.labels.dtype.kind == "f" else LogisticRegressionCV(Cs=np.logspace(-4, 0, 5), cv=4, l1_ratios=(0,), max_iter=300, scoring="neg_log_loss", use_legacy_attributes=False)
    o.model = make_pipeline(StandardScaler(), head).fit(o.features(train.texts), train.labels)
    return o

class Reader:
    "Vectors of length 1, each text read once"
    def __init__(self, batch): self.batch, self.known = batch, {}

    def __call__(self, texts):
        new = [o for o in dict.fromkeys(texts) if o not in self.known]
        order = sorted(new, key=len)
        for i in progress(range(0, len(order), 64), "reading", unit="batch"):
            self.known |= zip(order[i:i+64], self.batch(order[i:i+64]))
        return np.stack([self.known[o] for o in texts])

def read_minilm():
    net, tok = encoder()
    @torch.inference_mode()
    def batch(texts):
        b = tok(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        return nn.functional.normalize(pooled(net.eval()(**b).last_hidden_state, b["attention_mask"].float()), dim=-1).numpy()
    return Reader(batch)

def read_smollm2():
    model = smollm2()
    @torch.inference_mode()
    def batch(texts):
        ids = [model.tokenizer.encode(o)[:LONGEST] for o in texts]
        mask = torch.arange(max(map(len, ids))) < torch.tensor([len(o) for o in ids])[:, None]
        h = model.model.hidden(torch.tensor([o + [0]*(mask.shape[1]-len(o)) for o in ids])) # it looks back only: what stands behind a text changes nothing
        return nn.functional.normalize(pooled(h, mask.float()), dim=-1).numpy()
    return Reader(batch)

MODELS = ("majority", "tfidf", "minilm-frozen", "minilm", "smollm2-frozen")

def run(model, name, seeds, out, read):
    "All seeds of a model on a task"
    if model in ("majority", "tfidf"): return run_glue(majority if model == "majority" else tfidf, model, out, [name], [0], share=0)
    if model == "minilm": return [o for s in seeds for o in run_glue(partial(finetune, name=name, recipe=RECIPES[name], work=out/"work"/f"{name}-{s}"), model, out, [name], [s], share=0)]
    few = (4000, None) if model == "smollm2-frozen" else (None, None) # 250 tokens a second on a core
    read.setdefault(model, read_smollm2() if model.startswith("smollm2") else read_minilm())
    return run_glue(partial(frozen, read=read[model]), model, out, [name], [0], share=0, most=few)

def choose(name, out):
    "Every candidate on rows set apart from the training rows"
    file = out/"choose.json"
    done = read_json(file) if file.is_file() else []
    for recipe in CANDIDATES[name]:
        if any(o["task"] == name and o["recipe"] == recipe for o in done): continue
        train, dev = set_apart(glue_rows(name), .1)
        said = finetune(train, dev, 0, name, recipe, out/"work"/f"choose-{name}-{recipe['lr']}").predict(dev.texts)
        done.append(dict(task=name, recipe=recipe, train=len(train.texts), dev=len(dev.texts), scores=scores_of(name, dev.labels, said)))
        write_json(file, done)
        print(done[-1], flush=True)

def apart(name, out):
    "How well TF-IDF does on rows taken from training, at random and with their kin; beside the reported rows, which were not used to choose"
    file = out/"apart"/f"{name}.json"
    if file.is_file(): return read_json(file)
    rows, held = glue_rows(name), glue_rows(name, "held")
    train, dev = set_apart(rows, .1)
    order = np.random.default_rng(0).permutation(len(rows.texts))
    def score(train, *parts):
        m = tfidf(train, train.take([]))
        return [next(iter(scores_of(name, o.labels, m.predict(o.texts)).values())) for o in parts]
    (chosen, later), (chance,) = score(train, dev, held), score(rows.take(order[len(dev.texts):]), rows.take(order[:len(dev.texts)]))
    kin = set().union(*map(kin_of, rows.texts))
    return read_json(write_json(file, dict(task=name, random=chance, apart=chosen, held=later, kin=float(np.mean([bool(kin_of(o) & kin) for o in held.texts])), dropped=len(order)-len(train.texts)-len(dev.texts))))

def report(out):
    "glue.json, of all that is done so far; what only an earlier glue.json knows stays in it"
    file, results = HERE/"glue.json", [read_json(o) for m in MODELS for o in sorted((out/m).glob("*.json"))]
    old, done = read_json(file) if file.is_file() else {}, {o["model"] for o in results}
    def plain(v): return v if not isinstance(v, float) else round(v, 4) if np.isfinite(v) else None
    def kept(key, rows, *by):
        rows = [{k: plain(v) for k,v in o.items()} for o in rows]
        known = {tuple(o[k] for k in by) for o in rows}
        return rows + [o for o in old.get(key, []) if tuple(o[k] for k in by) not in known]
    duels = [dict(a=a, b="minilm") | o for a in ("tfidf", "minilm-frozen") if {a, "minilm"} <= done for o in duel(results, a, "minilm").to_dict("records")]
    chosen = read_json(out/"choose.json") if (out/"choose.json").is_file() else old.get("chosen_on", [])
    write_json(file, dict(command="python benchmarks/glue.py", made_with=versions(), models=MODELS, recipes=RECIPES, longest=LONGEST, chosen_on=chosen,
        apart=kept("apart", [read_json(o) for o in sorted((out/"apart").glob("*.json"))], "task"),
        scores=kept("scores", scoreboard(results).to_dict("records"), "model", "task"), duels=kept("duels", duels, "a", "task")))

def compute(models, tasks, seeds, out):
    "All that is asked for and not done yet"
    print(*(apart(o, out) for o in tasks), sep="\n", flush=True)
    read = {}
    for model in models:
        for name in tasks: print(model, name, [o["scores"] for o in run(model, name, seeds[:1] if name == "sst2" else seeds, out, read)], flush=True)
        report(out)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    p.add_argument("--tasks", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of MiniLM's training; SST-2 and what is not trained have one")
    p.add_argument("--choose", choices=list(RECIPES), help="compare recipes on training rows set apart, and do nothing else")
    p.add_argument("--out", type=Path, default=HERE.parent/"out"/"glue", help="where each training's result goes")
    a = p.parse_args()
    try: choose(a.choose, a.out) if a.choose else compute(a.models, a.tasks, a.seeds, a.out)
    except ConnectionError as e: print(f"glue.json stays as it is: {e}")

if __name__ == "__main__": main()
