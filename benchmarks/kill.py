"""Whether a training that is killed again and again ends with the weights of one that nobody disturbed.

    python benchmarks/kill.py

A run with dropout, Muon, accumulation and an average of its weights is killed at random moments, many of them in the middle of a checkpoint, and goes on each time. Weights and
losses of every run that comes to its end are compared to the bit. Writes kill.json here.
"""
import argparse, hashlib, json, os, random, signal, statistics, tempfile, time
from pathlib import Path

os.environ |= dict(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
import torch, torch._dynamo # an optimiser imports it at its first step: here before the forks
from torch import nn
from l1g1000.core import remove, write_json
from l1g1000.train.batches import Stream
from l1g1000.train.checkpoint import checkpoints
from l1g1000.train.engine import Trainer
from l1g1000.train.settings import TrainConfig

class Small(nn.Module):
    "Dropout, so that random generators matter"
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Embedding(50, 32), nn.Linear(32, 64), nn.GELU(), nn.Dropout(.2), nn.Linear(64, 50, bias=False))
    def forward(self, ids): return self.body(ids)

CFG = dict(optimizer="muon", batch_size=16, micro_batch=8, lr=1e-2, ema=.95, save_every=2, log_every=5, eval_every=10**6)

def data(): return dict(ids=torch.randint(50, (300, 17), generator=torch.Generator().manual_seed(0)))

def work(out, steps):
    "In a process of its own: train, or go on"
    torch.manual_seed(0)
    t = Trainer(Small(), data(), TrainConfig(steps=steps, **CFG), out, say=lambda s: None)
    t.fit()
    both = [*t.bare.state_dict().values(), *t.ema.state_dict().values()]
    digest = hashlib.sha256(b"".join(v.numpy().tobytes() for v in both)).hexdigest()
    write_json(Path(out)/"end.json", dict(weights=digest, losses=[o["loss"] for o in t.history]))

def start(out, steps):
    "A fork, which need not import torch anew"
    if pid := os.fork(): return pid
    code = 1
    try: work(out, steps); code = 0
    except KeyboardInterrupt: code = 130
    finally: os._exit(code)

def ended(pid, seconds):
    "Wait; the exit status, or `None` while it runs"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (r := os.waitpid(pid, os.WNOHANG))[0]: return r[1]
        time.sleep(.002)

def disturb(kills, steps, sign, folder, seed=0):
    "Kill and go on until `kills` were dealt; what each met, and whether every finished run ends like the undisturbed"
    rng, whole = random.Random(seed), Path(folder)/"whole"
    begun = time.monotonic()
    assert os.waitpid(start(whole, steps), 0)[1] == 0, "the undisturbed run failed"
    life, met, equal = (time.monotonic()-begun), [], []
    want = json.loads((whole/"end.json").read_text())
    while len(met) < kills or not equal:
        out = Path(folder)/"killed"
        remove(out)
        while True:
            pid = start(out, steps)
            status = ended(pid, rng.random()*life*min(1, 4/kills)) if len(met) < kills else os.waitpid(pid, 0)[1]
            if status is None:
                os.kill(pid, sign)
                status = os.waitpid(pid, 0)[1]
                if status: met.append(dict(last_whole=max(checkpoints(out/"checkpoints"), default=0), half_written=len([*out.rglob("*.part")])))
            if status == 0: break
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 130, f"a run that went on failed: {status}"
        equal.append(json.loads((out/"end.json").read_text()) == want)
    return dict(kills=len(met), runs=len(equal), bit_equal=sum(equal), steps=steps, seconds_undisturbed=life, half_written=sum(o["half_written"] for o in met), resumed_from=[o["last_whole"] for o in met])

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--kills", type=int, default=20)
    p.add_argument("--steps", type=int, default=150)
    p.add_argument("--signal", default="SIGKILL", choices=["SIGKILL", "SIGINT", "SIGTERM"])
    p.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    a = p.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as tmp: found = disturb(a.kills, a.steps, getattr(signal, a.signal), tmp)
    write_json(a.out, found | dict(signal=a.signal, torch=torch.__version__))
    print(json.dumps(found))

if __name__ == "__main__": main()
