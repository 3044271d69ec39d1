"""How long a layer of experts takes beside a dense layer of equal total size.

    python benchmarks/moe.py

Eight experts the size of SmolLM2-135M's feed-forward (576 → 1,536), two used, and 64 experts an eighth of that, two used, beside one dense layer that is 12,288
wide. Each number of tokens is timed with the three taking turns, without gradients, and forward and backward; ratios are of medians. Writes moe.json here.
"""
import sys
from functools import partial
from pathlib import Path
import torch
from l1g1000.chain import versions
from l1g1000.core import compare, progress, seed_everything, write_json
from l1g1000.model.moe import MoE
from l1g1000.model.parts import SwiGLU

HERE, DIM, HIDDEN, ROUNDS = Path(__file__).parent, 576, 1536, {1: 60, 16: 40, 128: 20, 2048: 7}
BARS = {(8, 2048): .25, (8, 128): .4, (8, 16): .7, (64, 2048): .06}

def layers():
    seed_everything(0)
    return {"dense": SwiGLU(DIM, 8*HIDDEN).eval()} | {f"{e} experts": MoE(DIM, 8*HIDDEN//e, e, 2).eval() for e in (8, 64)}

def medians(fns, x, rounds): return {o["name"]: o["median_ms"] for o in compare(fns, x, rounds=rounds)}

def learn(layer, x):
    layer.zero_grad()
    layer(x).sum().backward()

def main():
    models, rows = layers(), []
    sizes = {k: sum(p.numel() for p in m.parameters()) for k,m in models.items()}
    for n in progress(list(ROUNDS), "tokens"):
        x = torch.randn(1, n, DIM)
        with torch.no_grad(): took = medians(models, x, ROUNDS[n])
        both = medians({k: partial(learn, m) for k,m in models.items()}, x, max(3, ROUNDS[n]//6)) if n > 1 else None
        for k in list(models)[1:]:
            bar = BARS.get((int(k.split()[0]), n))
            rows.append(dict(layer=k, tokens=n, ms=round(took[k], 3), dense_ms=round(took["dense"], 3), ratio=round(took[k]/took["dense"], 4), bar=bar,
                learning_ratio=both and round(both[k]/both["dense"], 4)))
            print(rows[-1], flush=True)
    write_json(HERE/"moe.json", dict(command="python benchmarks/moe.py", made_with=versions(), torch=torch.__version__, threads=torch.get_num_threads(), parameters=sizes, rows=rows))
    if missed := [o for o in rows if o["bar"] and o["ratio"] > o["bar"]]: sys.exit("a bar is missed: " + "; ".join(f"{o['layer']}, {o['tokens']} tokens: {o['ratio']} of {o['bar']}" for o in missed))

if __name__ == "__main__": main()
