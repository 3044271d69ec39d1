"One process of a job of test_parallel.py: a plain loop over what make_accelerator gives; `python parallel_worker.py JOB.json`"
import json, os, signal, sys
from pathlib import Path
import torch
from torch import nn
from l1g1000.core import write_atomic, write_json
from l1g1000.train.parallel import deepspeed_config, full_state, gather_sum, load_full_state, loss_weight, make_accelerator

VOCAB, WIDTH, LENGTH, CLIP = 17, 8, 6, .5

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2*WIDTH), nn.Linear(2*WIDTH, WIDTH)
    def forward(self, x): return x + self.down(self.up(self.norm(x)).tanh())

class Model(nn.Module):
    "A tiny predictor of tokens; its first and last matrix are one"
    def __init__(self):
        super().__init__()
        self.embed, self.blocks = nn.Embedding(VOCAB, WIDTH), nn.ModuleList(Block() for _ in range(2))
    def forward(self, ids):
        x = self.embed(ids)
        for b in self.blocks: x = b(x)
        return x @ self.embed.weight.T

def batch(step, size):
    "The whole batch of a step, the same in every process: ids, and which tokens count: few in the first rows, many in the last"
    g = torch.Generator().manual_seed(step)
    ids = torch.randint(VOCAB, (size, LENGTH + 1), generator=g)
    return ids, torch.arange(LENGTH) < (1 + torch.arange(size)*LENGTH//size)[:, None]

def loss_sum(model, ids, counts):
    each = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (each*counts.flatten()).sum()

def train(job, accelerator):
    torch.manual_seed(0)
    model = Model()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-2))
    checkpoint, start = Path(job["out"])/"checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        load_full_state(accelerator, model, optimizer, state)
        start = state["step"]
    if accelerator.is_main_process:
        with open(Path(job["out"])/"begun", "a") as f: print(start, file=f)
    for step in range(start, job["steps"]):
        if [accelerator.process_index, step, int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))] in job.get("kill", []): os.kill(os.getpid(), signal.SIGKILL)
        advance(job, accelerator, model, optimizer, *batch(step, job["batch"]))
        if job.get("every") and (step+1) % job["every"] == 0 or step+1 == job["steps"]: save(accelerator, model, optimizer, checkpoint, step+1)
    return start, model

def advance(job, accelerator, model, optimizer, ids, counts):
    "One step over this process's part of the batch, a run of neighbouring rows"
    rows = slice(accelerator.process_index*len(ids)//accelerator.num_processes, (accelerator.process_index+1)*len(ids)//accelerator.num_processes)
    ids, counts, n = ids[rows], counts[rows], accelerator.gradient_accumulation_steps
    weight = loss_weight(accelerator, counts.sum())
    for i,c in zip(ids.chunk(n), counts.chunk(n)):
        if job.get("naive"): weight = 1/c.sum() # each process's own mean
        with accelerator.accumulate(model):
            accelerator.backward(loss_sum(model, i, c)*weight)
            if accelerator.sync_gradients: accelerator.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            optimizer.zero_grad()

def save(accelerator, model, optimizer, checkpoint, step):
    state = dict(model=accelerator.get_state_dict(model)) if accelerator.distributed_type == "DEEPSPEED" else full_state(accelerator, model, optimizer)
    if accelerator.is_main_process:
        with write_atomic(checkpoint) as f: torch.save(state | dict(step=step), f)

def accelerator_of(job):
    precision, accumulation = job.get("precision", "fp32"), job.get("accumulation", 1)
    settings = deepspeed_config(job["stage"], precision, job["batch"]//job["processes"]//accumulation, accumulation, job["processes"], clip=CLIP) if "stage" in job else None
    return make_accelerator(job["strategy"], precision, job.get("processes"), cpu=True, accumulation=accumulation, blocks=tuple(job.get("blocks", ())), deepspeed=settings, timeout=60)

def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    for out,o in job["runs"].items():
        o = job | o | dict(out=out)
        accelerator = accelerator_of(o)
        start,model = train(o, accelerator)
        local = sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in model.parameters())
        said = dict(start=start, type=accelerator.distributed_type.value, rows=gather_sum(accelerator, o["batch"]//accelerator.num_processes), local=local, of=sum(p.numel() for p in model.parameters()))
        if accelerator.is_main_process: write_json(Path(out)/"said.json", said)

if __name__ == "__main__": main()
