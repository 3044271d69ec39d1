"""What a dense model loses and saves when only a share of its neurons fires, on texts that nothing was chosen on.

    python benchmarks/sparse.py

SmolLM2-135M, calibrated on one description of a data set that scikit-learn ships, judged on four others; page 38 was developed on a sixth. Beside resting neurons stand
neurons that fall to zero (as published), neurons that fire by chance, and the dense model. Time: the feed-forwards of all layers for one token, taking turns, as shares of the dense
model's; beside page 38's, which gathers the rows that fire, stands one whose second product sums them where they lie, with torch's `embedding_bag`. Writes sparse.json here.
"""
import statistics
from pathlib import Path
import torch, torch.nn.functional as F
from sklearn import datasets
from l1g1000.chain import versions
from l1g1000.core import compare, progress, seed_everything, write_json
from l1g1000.model.hub import smollm2
from l1g1000.model.sparse import ThinSwiGLU, calibrate, fired, perplexity, sparsify

HERE, SHARES, LENGTH, ROUNDS = Path(__file__).parent, (.05, .1, .25, .4, .6, .8), 256, 25
KNOWN, FRESH = "breast_cancer", ("iris", "wine", "digits", "linnerud")

class ByLot(ThinSwiGLU):
    "Who fires is drawn by lot, for every token anew; the others rest"
    def forward(self, x):
        gate,up = self.gate_up(x).chunk(2, -1)
        gate = F.silu(gate)
        return self.down(torch.where(torch.rand_like(gate) < self.share, gate, self.quiet.rest) * up)

class InPlace(ThinSwiGLU):
    "One token, the rows of `down` not gathered first"
    def _one(self, x):
        far = F.silu(torch.mv(self.gate, x)) - self.quiet.rest
        who_R = (far.abs() > self.quiet.threshold).nonzero()[:, 0]
        y_R = torch.mv(self.up.index_select(0, who_R), x) * far[who_R]
        return F.embedding_bag(who_R[None], self.rows, mode="sum", per_sample_weights=y_R[None])[0] + torch.mv(self.at_rest, x)

def made(twin, cls, **more):
    for l in twin.layers: l.ffn.__class__ = cls; vars(l.ffn).update(more)
    return twin

def seen_by(model, ids):
    "What the feed-forward of each layer gets for the last token"
    found = []
    hooks = [l.ffn.register_forward_hook(lambda _,a,__: found.append(a[0][:, -1:].clone())) for l in model.layers]
    with torch.no_grad(): model.hidden(ids)
    for h in hooks: h.remove()
    return found

def feedforwards(model, inputs): return lambda: [l.ffn(x) for l,x in zip(model.layers, inputs)]

def main():
    seed_everything(0)
    m = smollm2()
    tokens = lambda name: m.tokenizer(getattr(datasets, f"load_{name}")().DESCR, return_tensors="pt").input_ids[:, :LENGTH]
    known, texts = tokens(KNOWN), {k: tokens(k) for k in FRESH}
    model, dense, rows = m.model.eval(), {k: perplexity(m.model, t) for k,t in texts.items()}, []
    inputs = seen_by(model, texts[FRESH[0]])
    for share in progress(SHARES, "shares"):
        resting = calibrate(model, known, share)
        ways = {"at rest": sparsify(model, resting), "at zero": sparsify(model, calibrate(model, known, share, resting=False)), "by lot": made(sparsify(model, resting), ByLot, share=share)}
        rivals = dict(dense=model, gathered=ways["at rest"], in_place=made(sparsify(model, resting), InPlace))
        with torch.no_grad():
            for a,b in zip(feedforwards(rivals["gathered"], inputs)(), feedforwards(rivals["in_place"], inputs)()): torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
            took = {o["name"]: o["median_ms"] for o in compare({k: feedforwards(o, inputs) for k,o in rivals.items()}, rounds=ROUNDS)}
        for way,twin in ways.items():
            ratios = [perplexity(twin, t)/dense[k] for k,t in texts.items()]
            active = statistics.mean(share if way == "by lot" else fired(twin, t) for t in texts.values())
            rows.append(dict(way=way, wanted=share, fired=round(active, 3), perplexity_ratio=round(statistics.mean(ratios), 3), lowest=round(min(ratios), 3), highest=round(max(ratios), 3),
                **({"time": round(took["gathered"]/took["dense"], 3), "time_in_place": round(took["in_place"]/took["dense"], 3)} if way == "at rest" else {})))
            print(rows[-1], flush=True)
    write_json(HERE/"sparse.json", dict(command="python benchmarks/sparse.py", made_with=versions(), torch=torch.__version__, threads=torch.get_num_threads(), calibrated_on=KNOWN,
        judged_on=list(FRESH), tokens={k: t.shape[1] for k,t in texts.items()}, dense_perplexity={k: round(v, 2) for k,v in dense.items()}, rows=rows))

if __name__ == "__main__": main()
