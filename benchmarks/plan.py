"""How near the planner of pages 43 and 44 comes: memory that torch held, tokens that SmolLM2 wrote, days that others reported.

    python benchmarks/plan.py [memory] [decode] [runs]

`memory`: twelve trainings, each in a process of its own. After one step (so that the optimiser has its averages) and one micro-batch (so that gradients are kept), torch's allocator
reports every byte of the second micro-batch; the peak and the bytes of weights, gradients and averages are compared with the planner's. `decode`: models of page 35 write 16 tokens
behind 32 on one thread. What the forecast is fed with is timed in turns with it: reading as many bytes, a product of matrices, and a layer that is too thin to take time for either. `runs`: published trainings, from their papers; arithmetic only. Parts left out keep their figures.
Writes plan.json here.
"""
import json, os, statistics, subprocess, sys, time
from dataclasses import replace
from functools import partial
from pathlib import Path
os.environ.setdefault("HF_HUB_OFFLINE", "1")
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.model.config import ModelConfig
from l1g1000.train.memory import Layout, flops_per_token, memory
from l1g1000.train.plan import GPU, GPUS, decode, plan

HERE = Path(__file__).parent

PROMPT, NEW, ROUNDS, THREADS = 32, 16, 7, 1
EXPERT_SHAPE = dict(num_experts=16, experts_per_token=2, shared_size=0)

def shape(D, L, heads, kv, F, V, **kw): return dict(size="nano", hidden_size=D, num_layers=L, num_heads=heads, num_kv_heads=kv, intermediate_size=F, vocab_size=V, image_vocab_size=0, audio_vocab_size=0, **dict(dict(num_experts=0, head_dim=D//heads), **kw))
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

def writer(cfg, batch, model=None):
    "A function that writes NEW tokens behind PROMPT, and one that writes one"
    import torch
    from l1g1000.model.generate import Sampling, generate
    from l1g1000.model.transformer import Transformer
    torch.manual_seed(0)
    model = (Transformer(cfg) if model is None else model).eval().requires_grad_(False).packed()
    prompts = torch.randint(0, cfg.rows, (batch, PROMPT)).tolist()
    return lambda n: generate(model, prompts, Sampling(n))

def clock(f, *args):
    "Seconds of the processor: on one thread other work on this machine does not count"
    start = time.process_time()
    f(*args)
    return time.process_time()-start

def decode_rows():
    import torch
    from l1g1000.model.hub import smollm2
    torch.set_num_threads(THREADS)
    mini = dict(size="mini")
    models = {"SmolLM2-135M": (mini, 1), "SmolLM2-135M, 8 texts": (mini, 8), "78 M": (mini | dict(num_layers=14), 1), "205 M": (mini | dict(hidden_size=1024, num_layers=14), 1),
        "372 M, 2 of 16 experts": (mini | dict(hidden_size=768, num_layers=10, **EXPERT_SHAPE, expert_size=864), 1)}
    a = torch.randn(1024, 1024)
    real = smollm2().model
    rows = []
    for name,(fields,batch) in models.items():
        cfg = ModelConfig(**fields)
        thin = ModelConfig("mini", hidden_size=64, num_heads=1, num_layers=10, vocab_size=256, **(EXPERT_SHAPE | dict(expert_size=32) if cfg.num_experts else {}))
        thin_write = writer(thin, 1)
        write, read, runs = writer(cfg, batch, real if name.startswith("Smol") else None), torch.ones(cfg.params().total), []
        for k in range(ROUNDS+1): # the first warms up
            runs.append(dict(read=clock(read.sum), product=clock(torch.mm, a, a), call=(clock(thin_write, NEW+1)-clock(thin_write, 1))/NEW/thin.num_layers, token=(clock(write, NEW+1)-clock(write, 1))/NEW))
        mid = {k: statistics.median(o[k] for o in runs[1:]) for k in runs[0]}
        here = GPU("here", 8, 2*1024**3/mid["product"]/1e12, 4*len(read)/mid["read"]/1e9, 1, 1, 0, 1, 0, "measured")
        line = decode(cfg, here, batch, PROMPT+NEW//2, bits=32, reach=1, call=mid["call"], overlap=False)
        rows.append(dict(name=name, shape=fields, parameters=len(read), batch=batch, bandwidth=here.bandwidth, gflops=here.tflops*1e3, call_us=mid["call"]*1e6, bound=line["bound"], predicted_ms=line["ms"], measured_ms=mid["token"]*1e3,
            spread_ms=[min(o["token"] for o in runs[1:])*1e3, max(o["token"] for o in runs[1:])*1e3], off=line["ms"]/mid["token"]/1e3-1))
        print(rows[-1], flush=True)
    return dict(threads=THREADS, context=PROMPT+NEW//2, rows=rows)

RUNS = ( # name, shape, GPU, how many, tokens, batch, length, reported GPU-hours, reported utilisation, source
    ("GPT-3 175B", shape(12288, 96, 96, 96, 32768, 50257), "v100", 10_000, 300e9, 3.2e6, 2048, 10_000*14.8*24, .213, "Brown et al. 2020, tables 2.1 and D.1; V100s and 14.8 days: Patterson et al. 2021, table 4; utilisation: Chowdhery et al. 2022, table 3; days and utilisation quoted from memory"),
    ("PaLM 540B", shape(18432, 118, 48, 1, 73728, 256_000, head_dim=256), "tpuv4", 6144, 780e9, 2**22, 2048, 1200*6144 + 336*3072, .462, "Chowdhery et al. 2022, tables 1, 3 and appendix B; hours: appendix F; utilisation quoted from memory"),
    ("BLOOM 176B", shape(14336, 70, 112, 112, 38229, 250_880), "a100", 384, 366e9, 2048*2048, 2048, 1_082_990, .75*156/312, "Le Scao et al. 2022, 3.2 to 3.4; 156 TFLOP/s count the recomputed forward pass, so three quarters of it; the inner width is that of the parameters"),
    ("LLaMA 65B", shape(8192, 80, 64, 64, 22016, 32_000, tie_embeddings=False), "a100", 2048, 1.4e12, 2**22, 2048, 1_022_362, None, "Touvron et al. 2023a, 2.4 and table 15; 380 tokens a second and GPU"),
    ("Llama 2 70B", shape(8192, 80, 64, 8, 28672, 32_000, tie_embeddings=False), "a100", 2048, 2e12, 2**22, 4096, 1_720_320, None, "Touvron et al. 2023b, 2.2.1 and table 2; 2,048 GPUs assumed, the paper says up to 2,000; no utilisation reported"),
    ("Llama 3.1 405B", shape(16384, 126, 128, 8, 53248, 128_256, tie_embeddings=False), "h100", 16_384, 15.6e12, 2**24, 8192, 30_840_000, 400/989, "Dubey et al. 2024, tables 3 and 4 and 3.4.1; hours: model card; the utilisation is 40 % by 400 TFLOP/s in Balaji 2024, 41 % in the paper's table as remembered"),
    ("DeepSeek-V3", shape(7168, 61, 128, 1, 18432, 129_280, head_dim=102, tie_embeddings=False, num_experts=256, experts_per_token=8, expert_size=2048, shared_size=2048, dense_layers=3), "h800", 2048, 14.8e12, 15360*4096, 4096, 2_664_000, .437,
        "DeepSeek-AI 2024, table 1, 4.2; its latent attention is stood in for by heads of equal parameters; utilisation: Zhao et al. 2025, table 4, quoted from memory; products in 8 bits, counted against the 16-bit peak"),
    ("OLMo 2 32B", shape(5120, 64, 40, 8, 27648, 100_352, tie_embeddings=False), "h100", 1280, 6e12, 2048*4096, 4096, 6e12/1800/3600, .38, "OLMo 2 32B announcement, Ai2 2025: over 1,800 tokens a second and GPU, 38 %; the hours follow from the first"))

def run_rows():
    rows = []
    for name,fields,kind,n,tokens,batch,length,hours,mfu,source in RUNS:
        cfg, gpu = ModelConfig(**fields | dict(max_length=length)), GPUS[kind]
        if name.startswith("LLaMA"): mfu = 380*flops_per_token(cfg, length)/(gpu.tflops*1e12)
        if name.startswith("BLOOM"): gpu = replace(gpu, net=6.25) # four cards of 100 Gb/s for eight GPUs: Le Scao et al. 2022, 3.4.1
        own = mfu and flops_per_token(cfg, length)*tokens/(gpu.tflops*1e12*mfu)/3600
        try: p = plan(cfg, (n, gpu), tokens=tokens, batch=batch, length=length)
        except ValueError as e: print(e); continue
        o = p.layout
        rows.append(dict(name=name, parameters=cfg.params().total, active=cfg.params().active, tokens=tokens, gpus=f"{n} {gpu.name}", reported_hours=hours, reported_mfu=mfu, own_hours=own, own_off=own and own/hours-1, planned_hours=p.hours,
            planned_mfu=p.mfu, planned_off=p.hours/hours-1, layout=f"{o.tensor}×{o.pipeline}×{o.expert}×{o.data}, {['DDP', 'ZeRO 1', 'ZeRO 2', 'FSDP'][o.zero]}, {o.recompute}", source=source))
        print({k: v for k,v in rows[-1].items() if k != "source"}, flush=True)
    return rows

def main(args):
    if args[:1] == ["--held"]: return print(json.dumps(held(*json.loads(args[1]))))
    out = read_json(HERE/"plan.json") if (HERE/"plan.json").is_file() else {}
    parts = dict(memory=memory_rows, decode=decode_rows, runs=run_rows)
    for k in args or parts: out[k] = parts[k]()
    write_json(HERE/"plan.json", out | dict(command="python benchmarks/plan.py", made_with=versions()))

if __name__ == "__main__": main(sys.argv[1:])
