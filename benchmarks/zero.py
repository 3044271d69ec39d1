"""Whether DeepSpeed's three stages learn what one process learns, and what a process then holds.

    python benchmarks/zero.py

A small Transformer learns from rows with unequally many tokens, two micro-batches a step, with clipped gradients: in one process, in two by DDP as a yardstick, and in two at stages 1, 2 and 3.
Kept are the greatest difference between any two weights, and the bytes of parameters and of AdamW's averages that the first process holds.
Needs DeepSpeed (pip install deepspeed); without it the old figures stay. Writes zero.json here.
"""
import os, sys, tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
os.environ |= dict(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
import torch
from torch import nn
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.model.config import ModelConfig
from l1g1000.model.transformer import Transformer
from l1g1000.train.parallel import deepspeed_config, launch, loss_weight, make_accelerator

STEPS, BATCH, LENGTH, PROCESSES, ACCUMULATION, CLIP, STAGES = 6, 32, 32, 2, 2, .5, (0, 1, 2, 3) # 0: DDP
SHAPE = ModelConfig("nano", vocab_size=256, image_vocab_size=0, audio_vocab_size=0, hidden_size=64, num_layers=2, head_dim=32, num_experts=0, max_length=LENGTH)

def batch(step):
    "Ids, and which of them count: few in the first rows, many in the last"
    g = torch.Generator().manual_seed(step)
    return torch.randint(256, (BATCH, LENGTH+1), generator=g), torch.arange(LENGTH) < (1 + torch.arange(BATCH)*LENGTH//BATCH)[:, None]

def learn(acc):
    torch.manual_seed(0)
    model = Transformer(SHAPE)
    model, opt = acc.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    n, rank, parts = acc.num_processes, acc.process_index, acc.gradient_accumulation_steps
    for step in range(STEPS):
        ids, counts = (o.chunk(n)[rank] for o in batch(step))
        weight = loss_weight(acc, counts.sum())
        for i,c in zip(ids.chunk(parts), counts.chunk(parts)):
            with acc.accumulate(model):
                each = nn.functional.cross_entropy(model(i[:, :-1]).flatten(0, 1), i[:, 1:].flatten(), reduction="none")
                acc.backward((each*c.flatten()).sum()*weight)
                if acc.sync_gradients: acc.clip_grad_norm_(model.parameters(), CLIP)
                opt.step()
                opt.zero_grad()
    return model, opt

def held(model, opt):
    "Bytes of this process's own"
    inner = getattr(opt.optimizer, "optimizer", opt.optimizer) # Accelerate's around DeepSpeed's, if it is there, around torch's
    size = lambda t: t.numel()*t.element_size()
    return dict(parameters=sum(size(getattr(p, "ds_tensor", p)) for p in model.parameters()), optimizer=sum(size(v) for s in inner.state.values() for k,v in s.items() if k != "step"))

def worker(stage, out):
    settings = dict(deepspeed=deepspeed_config(stage, "fp32", BATCH//PROCESSES//ACCUMULATION, ACCUMULATION, PROCESSES, clip=CLIP)) if stage else {}
    acc = make_accelerator("deepspeed" if stage else "ddp", processes=PROCESSES, cpu=True, accumulation=ACCUMULATION, timeout=120, **settings)
    model, opt = learn(acc)
    own, weights = held(model, opt), acc.get_state_dict(model)
    if acc.is_main_process: torch.save(dict(held=own, model=weights), out)

def job(stage, whole, folder):
    out, log = Path(folder)/f"{stage}.pt", Path(folder)/"log"
    if launch([__file__, stage, out], PROCESSES, log=log): raise SystemExit(log.read_text())
    o = torch.load(out)
    assert o["model"].keys() == whole.keys()
    return dict(stage=stage, difference=max((o["model"][k]-v).abs().max().item() for k,v in whole.items()), **o["held"])

def main():
    if not find_spec("deepspeed"): return print("DeepSpeed is not installed (pip install deepspeed): zero.json stays as it is")
    model, _ = learn(make_accelerator("single", cpu=True))
    whole = {k: v.clone() for k,v in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder: rows = [job(stage, whole, folder) for stage in progress(STAGES, "stages")]
    for o in rows: print(o)
    write_json(Path(__file__).with_suffix(".json"), dict(command="python benchmarks/zero.py", made_with=versions(), torch=torch.__version__, deepspeed=version("deepspeed"), accelerate=version("accelerate"),
        processes=PROCESSES, steps=STEPS, batch=BATCH, accumulation=ACCUMULATION, parameters=sum(v.numel() for v in model.parameters()), rows=rows))

if __name__ == "__main__": worker(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
