"""How fast the trainer is beside a bare loop, and beside the trainer of `transformers`.

    python benchmarks/train.py

The same rows, optimiser and clipping in float32; all take turns step by step, and ratios are medians over steps that stand side by side. `transformers.Trainer` is run with our
model, and with its own Llama of the same shape. Then a hundred steps of the nano model, experts and all, in a process of their own on all cores: seconds until the first step, and in all.
Writes train.json here.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, threading, time
from pathlib import Path

os.environ |= dict(OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"), HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
import torch, transformers
from torch import nn
from l1g1000.chain import versions
from l1g1000.core import write_json
from l1g1000.model.config import ModelConfig
from l1g1000.model.share import to_their_config
from l1g1000.model.transformer import Transformer
from l1g1000.train.batches import Stream, take
from l1g1000.train.engine import Trainer
from l1g1000.train.optim import make_optimizer, schedule
from l1g1000.train.settings import TrainConfig, token_loss

BARS = {"a bare loop": .97, "transformers.Trainer, our model": 1.05, "transformers.Trainer, its Llama": 1.05}
SHAPES = {"5M": dict(hidden_size=256, num_layers=6), "20M": dict(hidden_size=512, num_layers=6)}

def model(size):
    torch.manual_seed(0)
    return Transformer(ModelConfig("nano", vocab_size=4096, image_vocab_size=0, audio_vocab_size=0, num_experts=0, max_length=256, **SHAPES[size]))

class Turns:
    "Threads of which one runs at a time; each passes on after a step"
    def __init__(self, names, steps):
        self.names, self.steps, self.now, self.turn = names, steps, 0, threading.Condition()
        self.took, self.began, self.losses = {n: [] for n in names}, {}, {}
    def wait(self, name):
        with self.turn: self.turn.wait_for(lambda: self.names[self.now] == name)
        self.began[name] = time.perf_counter()
    def step(self, name):
        self.took[name].append(time.perf_counter() - self.began[name])
        self.hand_on()
        if len(self.took[name]) < self.steps: self.wait(name)
    def hand_on(self):
        with self.turn:
            self.now = (self.now+1) % len(self.names)
            self.turn.notify_all()

def ours(m, rows, cfg, turns, name, out):
    t = Trainer(m, rows, cfg, out, callbacks=(lambda _, event: event == "step" and turns.step(name),), say=lambda s: None)
    def run():
        turns.wait(name)
        turns.losses[name] = t.fit()[-1]["loss"]
    return run

def bare(m, rows, cfg, turns, name, out):
    stream = Stream(len(rows["ids"]), cfg.batch_size, cfg.seed)
    opt = make_optimizer(m, lr=cfg.lr, weight_decay=cfg.weight_decay)
    def run():
        turns.wait(name)
        for i in range(cfg.steps):
            for g in opt.param_groups: g["lr"] = cfg.lr*schedule("cosine", i, cfg.steps, cfg.rise)
            total,count = token_loss(m, take(rows, stream(i)))
            loss = total/count
            loss.backward()
            nn.utils.clip_grad_norm_(m.parameters(), cfg.clip)
            opt.step(); opt.zero_grad()
            turns.step(name)
        turns.losses[name] = loss.item()
    return run

class WithLoss(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.inner = m
    def forward(self, ids, **_):
        total,count = token_loss(self.inner, dict(ids=ids))
        return dict(loss=total/count)

class Llama(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        torch.manual_seed(0)
        words = {k: v for k,v in to_their_config(cfg).items() if k not in ("model_type", "architectures")}
        self.inner = transformers.LlamaForCausalLM(transformers.LlamaConfig(**words))
    def forward(self, ids, **_): return dict(loss=self.inner(input_ids=ids, labels=ids, use_cache=False).loss)

def theirs(m, rows, cfg, turns, name, out):
    class Step(transformers.TrainerCallback):
        def on_step_end(self, *a, **kw): turns.step(name)
    args = transformers.TrainingArguments(out, max_steps=cfg.steps, per_device_train_batch_size=cfg.batch_size, learning_rate=cfg.lr, weight_decay=cfg.weight_decay, max_grad_norm=cfg.clip, adam_beta2=.95,
        lr_scheduler_type="cosine", warmup_steps=cfg.rise, logging_steps=cfg.log_every, save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, remove_unused_columns=False, seed=cfg.seed)
    t = transformers.Trainer(m if isinstance(m, Llama) else WithLoss(m), args, train_dataset=[dict(ids=o) for o in rows["ids"]], callbacks=[Step()])
    t.remove_callback(transformers.PrinterCallback)
    def run():
        turns.wait(name)
        turns.losses[name] = t.train().training_loss
    return run

def measure(size, steps, batch, length):
    ways = {"Trainer": ours} | dict(zip(BARS, (bare, theirs, theirs)))
    rows = dict(ids=torch.randint(4096, (512, length+1), generator=torch.Generator().manual_seed(0)))
    cfg, turns = TrainConfig(batch_size=batch, steps=steps, log_every=10, save_every=10**6, eval_every=10**6), Turns(list(ways), steps)
    models = {n: Llama(model(size).cfg) if "Llama" in n else model(size) for n in ways}
    with tempfile.TemporaryDirectory() as tmp:
        runs = [ways[n](models[n], rows, cfg, turns, n, f"{tmp}/{n}") for n in reversed(ways)] # ours last: theirs resets what Accelerate shares
        threads = [threading.Thread(target=f) for f in runs]
        for t in threads: t.start()
        for t in threads: t.join()
    took = {n: t[3:] for n,t in turns.took.items()} # the first steps plan and allocate
    out = []
    assert turns.losses["Trainer"] == turns.losses["a bare loop"], "not the same training"
    for n,t in took.items():
        ratio = [a/b for a,b in zip(t, took["Trainer"])]
        tenths, mid = statistics.quantiles(ratio, n=10, method="inclusive"), statistics.median(ratio)
        out.append(dict(size=size, parameters=sum(p.numel() for p in model(size).parameters()), way=n, tokens_per_second=batch*length/statistics.median(t), trainer_is_times_as_fast=mid, spread=[tenths[0], tenths[-1]],
            steps=len(t), last_loss=turns.losses[n]) | (dict(bar=BARS[n], met=mid >= BARS[n]) if n in BARS else {}))
    return out

NANO = """
import sys, tempfile, time, torch
from l1g1000.model.config import ModelConfig
from l1g1000.model.transformer import Transformer
from l1g1000.train.engine import Trainer
from l1g1000.train.settings import TrainConfig
torch.manual_seed(0)
model = Transformer(ModelConfig("nano"))
rows, times = dict(ids=torch.randint(model.cfg.rows, (512, 65))), []
with tempfile.TemporaryDirectory() as out: Trainer(model, rows, TrainConfig(batch_size=8, steps=100), out, callbacks=(lambda t, event: event == "step" and times.append(time.time()),)).fit()
print(times[0], time.time())
"""

def nano():
    "A hundred steps of the shape that the course ships"
    threads, start = {k: v for k,v in os.environ.items() if k != "OMP_NUM_THREADS"}, time.time()
    done = subprocess.run([sys.executable, "-c", NANO], capture_output=True, text=True, env=threads, check=True)
    first,last = map(float, done.stdout.splitlines()[-1].split())
    return dict(parameters=ModelConfig("nano").params().total, steps=100, batch=8, length=64, first_step_seconds=round(first-start, 1), first_step_bar=10, seconds=round(last-start, 1), bar=60, cores=os.cpu_count())

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=23)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--length", type=int, default=128)
    p.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    a = p.parse_args()
    rows = [o for size in SHAPES for o in measure(size, a.steps, a.batch, a.length)]
    write_json(a.out, dict(versions=versions(), torch=torch.__version__, transformers=transformers.__version__, threads=torch.get_num_threads(), batch=a.batch, length=a.length, rows=rows, nano=(small := nano())))
    for o in [*rows, small]: print(json.dumps(o))

if __name__ == "__main__": main()
