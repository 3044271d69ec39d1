"""How well SmolLM2-135M reads when its matrices are rounded to 16, 8 and 4 bits, on texts that nothing was chosen on.

    python benchmarks/size.py

Four descriptions of data sets that scikit-learn ships, as in sparse.py; perplexity of each kind over that of 32 bits. Norms stay as they are. Writes size.json here.
"""
import copy
from pathlib import Path
import numpy as np, torch
from sklearn import datasets
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.edge.size import BITS, rounded, weight_bytes
from l1g1000.model.hub import smollm2
from l1g1000.model.sparse import perplexity

FILE, TEXTS, LENGTH = Path(__file__).with_suffix(".json"), ("iris", "wine", "digits", "linnerud"), 256

@torch.no_grad()
def main():
    torch.set_num_threads(1)
    m = smollm2()
    texts = {k: m.tokenizer(getattr(datasets, f"load_{k}")().DESCR, return_tensors="pt").input_ids[:, :LENGTH] for k in TEXTS}
    held, rows, dense = {k: tuple(o.shape) for k,o in m.model.named_parameters()}, [], None
    for kind in progress(BITS, "kinds"):
        model = copy.deepcopy(m.model).eval()
        for o in model.parameters():
            if o.ndim > 1: o.copy_(torch.from_numpy(rounded(o.numpy(), kind)))
        now = {k: perplexity(model, t) for k,t in texts.items()}
        dense = dense or now
        rows.append(dict(kind=kind, megabytes=round(weight_bytes(held, kind)/1e6, 1), perplexity_ratio={k: round(now[k]/dense[k], 4) for k in now}))
        print(rows[-1], flush=True)
    write_json(FILE, dict(command="python benchmarks/size.py", made_with=versions(), torch=torch.__version__, weights=int(sum(np.prod(o) for o in held.values())), tokens={k: t.shape[1] for k,t in texts.items()},
        perplexity={k: round(v, 2) for k,v in dense.items()}, rows=rows))

if __name__ == "__main__": main()
