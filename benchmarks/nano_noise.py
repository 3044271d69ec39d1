"""How alike are two gradients of nano? Of the same rows in two precisions, and of different rows: benchmarks/nano_noise.json.

    python benchmarks/nano_noise.py [--rows 16 32 64]

The cosine of the gradients of two batches of B rows is about s/(s+n/B), where s is the strength of what all rows agree on and n that of what
each wants for itself (McCandlish et al. 2018); B·(1-cos)/cos is the batch at which both are as strong. Against it stands what bfloat16 changes in
the gradient of one batch. At the weights of the nano that ships; the same dropout-free noise on looks and sounds in each pair. Two minutes.
"""
import argparse
from itertools import combinations
from pathlib import Path
import numpy as np, torch
from l1g1000.chain import versions
from l1g1000.core import sha256_file, write_json
from l1g1000.data.clip import checkpoint
from l1g1000.model.transformer import Transformer
from l1g1000.nano.documents import Directions, Mixture, Senses
from l1g1000.nano.facts import gather
from l1g1000.nano.train import Tokens, fill, find_tokens, nano_config
from l1g1000.train.batches import take

OUT, BATCHES = Path(__file__).with_suffix(".json"), 6 # of each size

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, nargs="+", default=[16, 32, 64], help="sizes of a batch")
    a = p.parse_args()
    tokens = Tokens.load(find_tokens("nano-tokens"))
    facts, vocab = gather(tokens.text, tokens.image, tokens.audio), tokens.vocabulary
    senses, model = Senses(facts, vocab), fill(Transformer(nano_config(vocab)), checkpoint("nano")).train()
    mixture = Mixture(Directions(facts, vocab), BATCHES*max(a.rows))
    def gradient(rows, low=False):
        model.zero_grad()
        torch.manual_seed(rows.start)
        with torch.autocast("cpu", torch.bfloat16, enabled=low): loss,n = senses(model, take(mixture, rows))
        (loss/n).backward()
        g = torch.cat([p.grad.flatten() for p in model.parameters()])
        return g/g.norm()
    out = dict(command="python benchmarks/nano_noise.py", versions=versions(), model=sha256_file(checkpoint("nano")/"model.safetensors"), batches=BATCHES, sizes={})
    for B in a.rows:
        spans = [range(i*B, (i+1)*B) for i in range(BATCHES)]
        gs = [gradient(r) for r in spans]
        between = [float(x@y) for x,y in combinations(gs, 2)]
        low = [float(g@gradient(r, True)) for g,r in list(zip(gs, spans))[:3]]
        cos = float(np.mean(between))
        out["sizes"][B] = dict(between=between, bf16=low, even_at_rows=B*(1-cos)/cos)
        print(f"{B} rows: cosine of two batches {cos:.3f}, of fp32 and bf16 {np.mean(low):.3f}", flush=True)
    write_json(OUT, out)

if __name__ == "__main__": main()
