"""What two processes gain over one, and what the sum of the gradients costs.

    python benchmarks/parallel.py

Three Transformers of about 1, 4 and 17 million parameters learn by DDP over gloo, one thread and 256 or 1,024 tokens a process. Within one job five things take turns,
so that a change of the machine's speed meets all of them: a whole step; a step without the sum of gradients in all processes at once (`no_sync`); such a step in the
first process while the others wait; the sum alone, of as many numbers as the gradient has; and a sum of another size, which gives the speed in the ring formula
2(n−1)/n · bytes / speed. Ratios are of medians within a job: the least, middle and greatest of REPEATS jobs are kept. Writes parallel.json here.
The machine must have a core for each process, as more processes than cores measure the cores' patience: the script stops at the number of cores.
"""
import os, statistics, sys, tempfile, time
from pathlib import Path
import torch
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.model.config import ModelConfig
from l1g1000.model.transformer import Transformer
from l1g1000.train.parallel import launch, make_accelerator

HERE, REPEATS, ROUNDS, LENGTH, OTHER = Path(__file__).parent, 3, 5, 128, 3_000_000
SHAPES = {"1M": (128, 4), "4M": (256, 6), "17M": (512, 6)} # hidden size, layers
TOKENS = (256, 1024) # a step and process

def setting(shape):
    hidden,layers = SHAPES[shape]
    return ModelConfig(hidden_size=hidden, num_layers=layers, head_dim=64, vocab_size=1024, image_vocab_size=0, audio_vocab_size=0, max_length=LENGTH, num_experts=0)

def clock(fn):
    torch.distributed.barrier()
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start

def measure(shape, tokens):
    "Medians of the five, in seconds, in this process"
    accelerator = make_accelerator("ddp", cpu=True)
    model = Transformer(setting(shape))
    size = sum(p.numel() for p in model.parameters())
    model,optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-4))
    ids = torch.randint(1024, (tokens//LENGTH, LENGTH + 1))
    flat, other = torch.zeros(size), torch.zeros(OTHER)
    def step():
        torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    def alone():
        with accelerator.no_sync(model): step()
    def solo():
        if accelerator.is_main_process: alone()
    todo = dict(step=step, alone=alone, solo=solo, sum=lambda: torch.distributed.all_reduce(flat), other=lambda: torch.distributed.all_reduce(other))
    took = {k: [] for k in todo}
    for i in range(ROUNDS + 1):
        for k,fn in todo.items(): took[k].append(clock(fn))
    return dict(parameters=size) | {k: statistics.median(v[1:]) for k,v in took.items()}

def worker(shape, tokens, out):
    row = measure(shape, int(tokens))
    if os.environ["RANK"] == "0": write_json(out, row)

def job(n, shape, tokens):
    with tempfile.TemporaryDirectory() as tmp:
        out, log = Path(tmp)/"row.json", Path(tmp)/"log"
        if launch([__file__, shape, tokens, out], n, log=log): raise SystemExit(log.read_text())
        return read_json(out)

def foresee(n, o):
    "What follows from a job's medians: what the sum costs and what the ring formula says, what sharing the memory costs, and what is left of n processes"
    speed = 2*(n-1)/n*4*OTHER/o["other"]
    ring = 2*(n-1)/n*4*o["parameters"]/speed
    return o | dict(speed=speed, ring=ring, share=1 - o["alone"]/o["step"], foreseen=ring/(ring + o["alone"]), beside=o["solo"]/o["alone"], efficiency=o["solo"]/o["step"])

def spread(values): return [round(o, 6) for o in (min(values), statistics.median(values), max(values))]

def main():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ["OMP_NUM_THREADS"] = "1"
    todo = [(shape, tokens, n) for shape in SHAPES for tokens in TOKENS for n in (2, 4, 8) if n <= cores]
    found = {o: [] for o in todo}
    for shape,tokens,n in progress(todo*REPEATS, "jobs"): found[shape, tokens, n].append(foresee(n, job(n, shape, tokens)))
    rows = [dict(shape=o[0], tokens=o[1], processes=o[2], parameters=jobs[0]["parameters"]) | {k: spread([j[k] for j in jobs]) for k in jobs[0] if k != "parameters"} for o,jobs in found.items()]
    for r in rows: print(r, flush=True)
    write_json(HERE/"parallel.json", dict(command="python benchmarks/parallel.py", made_with=versions(), torch=torch.__version__, cores=cores, threads=1, repeats=REPEATS, rounds=ROUNDS, rows=rows))

if __name__ == "__main__": worker(*sys.argv[1:]) if len(sys.argv) > 1 else main()
