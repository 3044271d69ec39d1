"""How near the planner of pages 43 and 44 comes: memory that torch held, tokens that SmolLM2 wrote, days that others reported.

    python benchmarks/plan.py [memory] [decode] [runs]

`memory`: twelve trainings, each in a process of its own. After one step (so that the optimiser has its averages) and one micro-batch (so that gradients are kept), torch's allocator
reports every byte of the second micro-batch; the peak and the bytes of weights, gradients and averages are compared with the planner's. `decode`: models of page 35 write 24 tokens
behind 32; the bandwidth is that of reading as many bytes, timed in turns with it. `runs`: published trainings, from their papers; arithmetic only. Parts left out keep their figures.
Writes plan.json here.
"""
import json, os, subprocess, sys, time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
os.environ.setdefault("HF_HUB_OFFLINE", "1")
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.model.config import ModelConfig
from l1g1000.train.memory import Layout, memory

HERE = Path(__file__).parent

def shape(D, L, heads, kv, F, V, **kw): return dict(size="nano", hidden_size=D, num_layers=L, num_heads=heads, num_kv_heads=kv, head_dim=D//heads, intermediate_size=F, vocab_size=V, image_vocab_size=0, audio_vocab_size=0, **dict(dict(num_experts=0), **kw))
SMALL, MIDDLE, DEEP = shape(256, 6, 4, 2, 704, 4096), shape(512, 6, 8, 4, 1408, 8192), shape(256, 12, 4, 4, 704, 2048)
EXPERTS = shape(256, 4, 4, 2, 704, 2048, num_experts=8, experts_per_token=2, expert_size=192, shared_size=128)
FEW = shape(256, 6, 4, 2, 1408, 256)
TINY = shape(192, 4, 3, 1, 512, 2048, tie_embeddings=False)
CASES = { # name: (shape, B, T, precision, optimizer, recompute)
    "7 M, 8×128": (SMALL, 8, 128, "fp32", "adamw", "none"), "7 M, 2×128": (SMALL, 2, 128, "fp32", "adamw", "none"), "22 M, 4×256": (MIDDLE, 4, 256, "fp32", "adamw", "none"),
    "10 M, 1×1024": (DEEP, 1, 1024, "fp32", "adamw", "none"), "10 M, 4×256, selective": (DEEP, 4, 256, "fp32", "adamw", "selective"),
    "10 M, 4×256, full": (DEEP, 4, 256, "fp32", "adamw", "full"), "8 experts, 4×256": (EXPERTS, 4, 256, "fp32", "adamw", "none"),
    "7 M, 1×16": (SMALL, 1, 16, "fp32", "adamw", "none"), "few ids, 4×256": (FEW, 4, 256, "fp32", "adamw", "none"), "few ids, 4×256, full": (FEW, 4, 256, "fp32", "adamw", "full"),
    "2 M, 4×128, amp": (TINY, 4, 128, "amp", "adamw", "none"), "2 M, 4×128, Muon": (TINY, 4, 128, "fp32", "muon", "none")}

def keep_products(ctx, op, *args, **kwargs):
    from torch.utils.checkpoint import CheckpointPolicy
    return CheckpointPolicy.MUST_SAVE if any(o in str(op) for o in ("aten.mm", "aten.addmm", "_scaled_dot_product", "_grouped_mm")) else CheckpointPolicy.PREFER_RECOMPUTE

def build(fields, optimizer, recompute):
    import torch
    from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
    from l1g1000.model.transformer import Transformer
    torch.manual_seed(0)
    model = Transformer(ModelConfig(**fields))
    model.recompute = recompute == "full"
    if recompute == "selective":
        for o in model.layers: o.forward = partial(checkpoint, o.forward, use_reentrant=False, context_fn=partial(create_selective_checkpoint_contexts, keep_products))
    inner = [p for k,p in model.named_parameters() if p.ndim == 2 and k.startswith("layers")] if optimizer == "muon" else []
    rest = [p for p in model.parameters() if not any(p is o for o in inner)]
    return model, [torch.optim.AdamW(rest, lr=1e-4), *([torch.optim.Muon(inner, lr=1e-3)] if inner else [])]

def held(fields, B, T, precision, optimizer, recompute):
    "Train; bytes that last, and the peak of what comes and goes"
    import torch, torch.nn.functional as F
    from torch.profiler import ProfilerActivity, profile
    model, opts = build(fields | dict(max_length=T), optimizer, recompute)
    def learn():
        ids = torch.randint(0, model.cfg.rows, (B, T+1))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "amp"): loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
    learn()
    for o in opts: o.step(); o.zero_grad()
    learn()
    last = [*model.parameters(), *(p.grad for p in model.parameters()), *(v for o in opts for s in o.state.values() for v in s.values() if torch.is_tensor(v))]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof: learn()
    now = peak = 0
    for e in sorted((e for e in prof.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        now += e.nbytes()
        peak = max(peak, now)
    return dict(lasting=sum(t.numel()*t.element_size() for t in last), moving=peak)

def memory_rows():
    rows = []
    for name,(fields,B,T,precision,optimizer,recompute) in progress(CASES.items(), "memory"):
        asked = json.dumps([fields, B, T, precision, optimizer, recompute])
        done = subprocess.run([sys.executable, __file__, "--held", asked], capture_output=True, text=True)
        if done.returncode: sys.exit(f"{name}: {done.stderr}")
        got, cfg = json.loads(done.stdout.splitlines()[-1]), ModelConfig(**fields)
        plan = memory(cfg, Layout(micro=B, recompute=recompute), T, precision, optimizer, fused=False)
        measured, predicted = sum(got.values()), sum(plan.values())
        rows.append(dict(name=name, parameters=cfg.params().total, experts=cfg.num_experts, batch=B, length=T, precision=precision, optimizer=optimizer, recompute=recompute,
            measured=measured, predicted=predicted, off=predicted/measured-1, lasting=got["lasting"], lasting_predicted=sum(plan[k] for k in ("weights", "gradients", "optimizer")), parts=plan))
        print(f"{name:26} measured {measured:12,} predicted {predicted:12,} {predicted/measured-1:+.1%}  lasting {got['lasting']:,} {rows[-1]['lasting_predicted']:,} moving {got['moving']:,} {plan['activations']+plan['moment']:,}", flush=True)
    return rows

def main(args):
    if args[:1] == ["--held"]: return print(json.dumps(held(*json.loads(args[1]))))
    out = read_json(HERE/"plan.json") if (HERE/"plan.json").is_file() else {}
    parts = dict(memory=memory_rows)
    for k in args or parts: out[k] = parts[k]()
    write_json(HERE/"plan.json", out | dict(command="python benchmarks/plan.py", made_with=versions()))

if __name__ == "__main__": main(sys.argv[1:])
