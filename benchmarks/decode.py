"""How fast SmolLM2-135M writes and reads in 32-bit floats on two threads, beside transformers and beside the memory's own speed.

    python benchmarks/decode.py

Three rivals take turns in one process: `ours` (page 35 as loaded), `packed` (its twin with a second layout of the weights) and `transformers` (eager, its own `generate`).
Decoding is greedy, for 1 and 8 prompts of 32 tokens; the seconds of writing one token are taken off, so that reading the prompt does not count. Reading is one prompt of 512 tokens,
scores of the last. All rivals must write the same ids. The limit: every matrix is read once a token, so a token can't take less than reading that many bytes, which is timed in the same rounds,
as are the packed twin's matrix products alone: what is left of a token's time are all its other operations.
Writes decode.json here, a table for each kind of processor.
"""
import os, sys, time
from pathlib import Path
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np, torch
from transformers import AutoModelForCausalLM
from l1g1000.chain import versions
from l1g1000.core import home, progress, read_json, write_json
from l1g1000.model.generate import Sampling, generate
from l1g1000.model.hub import SMOLLM2_WHEEL, smollm2
from l1g1000.model.parts import PackedLinear
from l1g1000.quant.ort import cpu_features

FILE, ROUNDS, NEW, PROMPT, LONG, BATCHES = Path(__file__).with_suffix(".json"), 7, 16, 32, 512, (1, 8)
BARS = {"decode 1": 1.8, "decode 8": 1.5, "read 512": 1.}

def clock(f, *args):
    start = time.perf_counter()
    out = f(*args)
    return time.perf_counter()-start, out

def rivals():
    "Name → (write n tokens behind prompts, read a prompt)"
    model = smollm2().model.eval().requires_grad_(False)
    theirs = AutoModelForCausalLM.from_pretrained(home(f"smollm2-{SMOLLM2_WHEEL.version}"), dtype=torch.float32).eval()
    def write(m): return lambda ids, n: [o.ids for o in generate(m, ids.tolist(), Sampling(n))]
    def read(m): return lambda ids: m.scores(m.hidden(ids, m.new_cache(1, LONG))[:, -1])
    def they_write(ids, n): return theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, min_new_tokens=n, do_sample=False, eos_token_id=None, pad_token_id=0)[:, ids.shape[1]:].tolist()
    def they_read(ids): return theirs(ids, use_cache=True, logits_to_keep=1).logits[:, -1]
    p = model.packed()
    calls = [(o, torch.randn(1, 1, o.in_features)) for o in p.modules() if isinstance(o, PackedLinear)]
    return {"ours": (write(model), read(model)), "packed": (write(p), read(p)), "transformers": (they_write, they_read)}, sum(o.numel() for o in model.parameters()), lambda: [o(x) for o,x in calls]

@torch.inference_mode()
def main():
    torch.set_num_threads(2)
    who,n,products = rivals()
    g = torch.Generator().manual_seed(0)
    prompts = {b: torch.randint(1000, 40_000, (b, PROMPT), generator=g) for b in BATCHES}
    long, memory, runs = torch.randint(1000, 40_000, (1, LONG), generator=g), torch.ones(n), []
    for k in progress(range(ROUNDS+1), "rounds", unit="round"): # the first warms up
        now = {"memory": clock(memory.sum)[0], "products": clock(products)[0]}
        for b in BATCHES:
            said = {}
            for name,(write,_) in who.items():
                one, all_ = clock(write, prompts[b], 1)[0], clock(write, prompts[b], NEW+1)
                now[f"{name}, decode {b}"], said[name] = (all_[0]-one)/NEW, all_[1]
            if len({str(o) for o in said.values()}) > 1: sys.exit(f"the rivals write different ids for {b} prompts: {said}")
        seen = {}
        for name,(_,read) in who.items(): now[f"{name}, read {LONG}"], seen[name] = clock(read, long)
        if (worst := max(float((o-seen["transformers"]).abs().max()) for o in seen.values())) > 1e-3: sys.exit(f"the rivals' scores differ by {worst}")
        if k: runs.append(now)
        print({a: round(o, 3) for a,o in now.items()}, flush=True)
    mid = {k: float(np.median([o[k] for o in runs])) for k in runs[0]}
    limit, figures = 1/mid["memory"], {}
    for what,bar in BARS.items():
        tokens = int(what.split()[1])
        for name in who:
            s = mid[f"{name}, {what}"]
            figures[f"{name}, {what}"] = dict(tokens_per_second=round(tokens/s, 1), times_transformers=round(mid[f"transformers, {what}"]/s, 2), bar=bar)
            if what == "decode 1": figures[f"{name}, {what}"]["share_of_limit"] = round(mid["memory"]/s, 2)
    figures["packed, decode 1"]["share_of_products"] = round(mid["products"]/mid["packed, decode 1"], 2)
    for k,o in figures.items(): print(f"{k:26}", o)
    print(f"limit of decode 1: {limit:.1f} tokens/s at {4*n/mid['memory']/1e9:.1f} GB/s")
    kept = read_json(FILE)["machines"] if FILE.is_file() else {}
    kept[" ".join(k for k,v in cpu_features().items() if v)] = dict(made_with=versions(), gigabytes_per_second=round(4*n/mid["memory"]/1e9, 1), limit_tokens_per_second=round(limit, 1),
        figures=figures, runs=[{k: round(v, 5) for k,v in o.items()} for o in runs])
    write_json(FILE, dict(command="python benchmarks/decode.py", threads=2, parameters=n, machines=kept))

if __name__ == "__main__": main()
