"A training that is killed, stopped, spread over processes or told nonsense: the last weights are the same, and nothing is lost"
import json, os, re, subprocess, sys, time
from importlib.util import find_spec
import pytest
from conftest import ROOT

ENV = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}

def script(*args, module=(), without=""): return subprocess.run([sys.executable, *module, *map(str, args)], capture_output=True, text=True, env={k: v for k,v in ENV.items() if k != without})

@pytest.mark.parametrize("sign,kills", [("SIGKILL", 5), ("SIGINT", 2)])
def test_ended_at_random_moments_a_run_comes_to_the_same_weights(sign, kills, tmp_path):
    done = script(ROOT/"benchmarks"/"kill.py", "--kills", kills, "--steps", 60, "--signal", sign, "--out", tmp_path/"kill.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path/"kill.json").read_text())
    assert found["kills"] == kills and found["bit_equal"] == found["runs"] >= 1

RECIPE = """
train: {optimizer: "AdamW", lr_scheduler: "cosine", batch_size: 8, steps: 4}
model: {hidden_size: 32, num_layers: 1, head_dim: 16, num_experts: 0}
length: 17
"""
def test_a_bad_recipe_leaves_an_old_run_untouched(tmp_path, capsys):
    from l1g1000.cli import main
    (tmp_path/"recipe.yaml").write_text(RECIPE)
    (tmp_path/"texts").mkdir()
    (tmp_path/"texts"/"a.txt").write_text("the quick brown fox " * 200)
    def train(*overrides):
        with pytest.raises(SystemExit) as end: main(["train", *map(str, (tmp_path/"recipe.yaml", f"data={tmp_path/'texts'}", *overrides, "--out", tmp_path/"run", "--json"))])
        return end.value.code, capsys.readouterr()
    code,said = train()
    assert code == 0, said.err
    assert json.loads(said.out)["steps"] == 4
    def state(): return {o: o.read_bytes() for o in (tmp_path/"run").rglob("*") if o.is_file() and o.name != ".lock"}
    before = state()
    for bad,words in (("train.batch=8", "Did you mean 'batch_size'"), ("train.micro_batch=3", "no multiple"), ("train.lr=1e-4", "choose another folder"), ("data=nowhere", "holds no text")):
        code,said = train(bad)
        assert code == 2 and words in said.err and said.err.count("\n") == 1, said.err
    assert state() == before

JOB = """
import os, sys, torch
from pathlib import Path
from l1g1000.train.engine import Trainer
from l1g1000.train.settings import TrainConfig, zero_settings
from l1g1000.train.parallel import make_accelerator

def trainer(how, out, batch, micro):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(20, 16), torch.nn.Linear(16, 20))
    g = torch.Generator().manual_seed(0)
    ids = torch.randint(20, (4*batch, 9), generator=g)
    labels = ids.masked_fill(torch.arange(9) > torch.randint(1, 9, (len(ids), 1), generator=g), -100) # rows of unequal worth
    cfg, (how, _, stage), own = TrainConfig(batch_size=batch, micro_batch=micro, steps=8, lr=1e-2, log_every=1, save_every=3, clip=.3), how.partition("-"), {}
    if stage: own = dict(deepspeed=(zero := zero_settings(cfg, int(os.environ["WORLD_SIZE"]), int(stage))), accumulation=zero["gradient_accumulation_steps"])
    return Trainer(model, dict(ids=ids, labels=labels), cfg, out, accelerator=make_accelerator(how, cpu=True, **own))

folder, batch, micro, *runs = sys.argv[1:]
for run in runs: # "ddp", or "name=ddp:3,deepspeed-2:5,fsdp": to step 3, to step 5, to the end
    name, _, chain = run.rpartition("=")
    for how, _, until in (o.partition(":") for o in chain.split(",")):
        t = trainer(how, Path(folder)/(name or chain), int(batch), int(micro))
        t.fit(until=int(until) if until else None)
    weights, lengths = t.weights(), [o["grad_norm"] for o in t.history]
    if t.acc.is_main_process: torch.save(dict(n=t.acc.num_processes, lengths=lengths, model=weights["model"]), Path(folder)/f"{name or chain}.pt")
    t.acc.wait_for_everyone()
t.acc.end_training()
"""

def together(tmp_path, n, batch, micro, *runs, **kw):
    "Trainings of `n` processes, one after the other"
    (tmp_path/"job.py").write_text(JOB)
    start = ("-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n}") if n > 1 else ()
    done = script(tmp_path/"job.py", tmp_path, batch, micro, *runs, module=start, **kw)
    assert done.returncode == 0, done.stderr[-6000:] # torchrun's own report is long
    return done

def far(tmp_path, one, *others):
    "How far the weights of runs are from those of another"
    import torch
    one, *others = (torch.load(tmp_path/f"{o}.pt")["model"] for o in (one, *others))
    assert all(one.keys() == o.keys() for o in others)
    return [max((one[k]-o[k]).abs().max().item() for k in one) for o in others]

def test_two_processes_learn_what_one_learns(tmp_path):
    import torch
    for n,how in ((1, "single"), (2, "ddp")):
        done = together(tmp_path, n, 16, 4, how, without="TQDM_DISABLE")
        bars = re.findall(r"train: 100%.* 8/8 \[[\d:]+<00:00, .*(?:step/s|s/step), loss [\d.]+, [\d,]+ tok/s, [\d,]+ MB\]", done.stderr)
        assert len(bars) == 1, "one bar, from the first process" + done.stderr[-2000:]
    assert [torch.load(tmp_path/f"{o}.pt")["n"] for o in ("single", "ddp")] == [1, 2]
    assert far(tmp_path, "single", "ddp")[0] <= 1e-5

def test_four_times_256_is_1024(tmp_path):
    "Four processes with 256 rows each, and one with 1,024 in micro-batches of 256"
    together(tmp_path, 1, 1024, 256, "single")
    together(tmp_path, 4, 1024, 256, "ddp", "fsdp")
    assert max(far(tmp_path, "single", "ddp", "fsdp")) <= 1e-5

def needs_deepspeed():
    if not find_spec("deepspeed"): pytest.skip("DeepSpeed is not installed: pip install deepspeed")

def test_deepspeed_learns_what_one_process_learns(tmp_path):
    "At each stage: rows of unequal worth in two micro-batches, gradients that are clipped, and nothing on the standard output"
    needs_deepspeed()
    import torch
    together(tmp_path, 1, 16, 4, "single")
    stages = [f"deepspeed-{i}" for i in (1, 2, 3)]
    done = together(tmp_path, 2, 16, 4, *stages)
    assert done.stdout == ""
    one,*others = (torch.load(tmp_path/f"{o}.pt") for o in ("single", *stages))
    assert max(one["lengths"]) > .3, "or clipping would go unnoticed"
    assert max(far(tmp_path, "single", *stages)) <= 1e-5
    for o in others: assert o["n"] == 2 and o["lengths"] == pytest.approx(one["lengths"], abs=1e-5)

@pytest.mark.parametrize("chain", ("ddp:3,fsdp:5,ddp:7", "deepspeed-2:3,deepspeed-1:4,fsdp:5,deepspeed-3:6,ddp:7"))
def test_any_strategy_goes_on_from_what_another_has_saved(chain, tmp_path):
    "One process begins, two go on by one strategy after the other, and one ends it"
    if "deepspeed" in chain: needs_deepspeed()
    together(tmp_path, 1, 16, 4, "single", "run=single:2")
    together(tmp_path, 2, 16, 4, f"run={chain}")
    together(tmp_path, 1, 16, 4, "run=single")
    assert far(tmp_path, "single", "run")[0] <= 1e-5

def test_a_recipe_learns_the_same_by_every_strategy(tmp_path):
    from safetensors.torch import load_file
    (tmp_path/"recipe.yaml").write_text(RECIPE.replace("num_experts: 0", "num_experts: 4, experts_per_token: 2").replace("batch_size: 8", "batch_size: 8, micro_batch: 2"))
    (tmp_path/"texts").mkdir()
    for i in range(4): (tmp_path/"texts"/f"{i}.txt").write_text(f"the quick brown fox {i} " * 100)
    strategies = {"single": [], "ddp": [], "fsdp": []} | ({f"deepspeed-{i}": ["strategy=deepspeed", f"stage={i}"] for i in (2, 3)} if find_spec("deepspeed") else {})
    for how,own in strategies.items():
        done = script("train", tmp_path/"recipe.yaml", f"data={tmp_path/'texts'}", f"processes={1 + (how != 'single')}", *(own or [f"strategy={how}"]), "--out", tmp_path/how, "--json", module=("-m", "l1g1000"))
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout)["steps"] == 4
    one,*others = (load_file(tmp_path/how/"model"/"model.safetensors") for how in strategies)
    for o in others: assert max((one[k]-o[k]).abs().max().item() for k in one) <= 1e-5

@pytest.mark.parametrize("strategy", ("ddp", "deepspeed"))
def test_a_recipe_that_loses_a_process_goes_on_to_the_same_weights(strategy, tmp_path):
    "Rank 1 is killed twice: the first job ends, and the same command goes on; the second, with restarts=1, goes on by itself"
    if strategy == "deepspeed": needs_deepspeed()
    import psutil
    from safetensors.torch import load_file
    from l1g1000.train.checkpoint import checkpoints, newest
    (tmp_path/"recipe.yaml").write_text(RECIPE.replace("steps: 4", "steps: 120, save_every: 10, lr: 0.01"))
    (tmp_path/"texts").mkdir()
    for i in range(4): (tmp_path/"texts"/f"{i}.txt").write_text(f"the quick brown fox {i} " * 100)
    def start(out, restarts, kill_after=None):
        "The exit status, and what was said; rank 1 is killed at the first checkpoint after a step"
        command = [sys.executable, "-m", "l1g1000", "train", tmp_path/"recipe.yaml", f"data={tmp_path/'texts'}", f"strategy={strategy}", "processes=2", f"restarts={restarts}", "--out", out, "--json"]
        with open(tmp_path/"said", "w+") as said:
            job = subprocess.Popen([*map(str, command)], stdout=said, stderr=said, env=ENV)
            while kill_after is not None and job.poll() is None and max(checkpoints(out/"checkpoints"), default=0) <= kill_after: time.sleep(.02)
            if kill_after is not None:
                one, = (o for o in psutil.Process(job.pid).children(recursive=True) if o.environ().get("RANK") == "1")
                one.kill()
            status = job.wait(600)
            said.seek(0)
            return status, said.read()
    status,said = start(tmp_path/"whole", 0)
    assert status == 0, said
    status,said = start(tmp_path/"run", 0, kill_after=0)
    assert status == 2 and "rank 1 of 2" in said and "SIGKILL (signal 9)" in said and "the same command goes on from the last checkpoint" in said, said
    saved = int(newest(tmp_path/"run"/"checkpoints").name[5:])
    assert 10 <= saved < 120
    status,said = start(tmp_path/"run", 1, kill_after=saved)
    assert status == 0 and json.loads((tmp_path/"run"/"result.json").read_text())["steps"] == 120, said
    lines = [json.loads(o) for o in (tmp_path/"run"/"log.jsonl").read_text().splitlines()]
    assert [o["step"] for o in lines if "loss" in o] == [*range(10, 121, 10)]
    one,two = (load_file(tmp_path/o/"model"/"model.safetensors") for o in ("whole", "run"))
    assert one.keys() == two.keys() and max((one[k]-two[k]).abs().max().item() for k in one) == 0

def test_the_log_goes_to_tensorboard_where_it_is_installed(tmp_path):
    pytest.importorskip("tensorboard")
    import torch
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from l1g1000.train.engine import Trainer
    from l1g1000.train.settings import TrainConfig
    model = torch.nn.Sequential(torch.nn.Embedding(20, 16), torch.nn.Linear(16, 20))
    history = Trainer(model, dict(ids=torch.randint(20, (64, 9))), TrainConfig(batch_size=8, steps=4, log_every=2), tmp_path).fit()
    events = EventAccumulator(str(tmp_path/"tensorboard"))
    events.Reload()
    assert [o.step for o in events.Scalars("loss")] == [2, 4]
    assert [o.value for o in events.Scalars("loss")] == pytest.approx([o["loss"] for o in history])

def test_every_step_of_a_training_balances_the_experts(tmp_path):
    import torch
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.moe import MoE
    from l1g1000.model.transformer import Transformer
    from l1g1000.train.engine import Trainer
    from l1g1000.train.settings import TrainConfig
    shape = dict(vocab_size=20, image_vocab_size=0, audio_vocab_size=0, hidden_size=32, num_layers=2, head_dim=16, num_experts=4, experts_per_token=1, expert_size=16, max_length=16)
    model = Transformer(ModelConfig("nano", **shape))
    routers = [m for m in model.modules() if isinstance(m, MoE)]
    for m in routers: m.bias[0] = 1 # so that the first expert gets every token
    seen = []
    def watch(trainer, event): seen.extend([(trainer.step, m.bias.clone(), m.load.clone()) for m in routers] if event == "step" else [])
    Trainer(model, dict(ids=torch.randint(20, (64, 9))), TrainConfig(batch_size=8, steps=4), tmp_path, callbacks=(watch,)).fit()
    assert len(routers) == 2 and len(seen) == 8
    for step,bias,load in seen:
        torch.testing.assert_close(bias, torch.tensor([1.] + [0.]*3) + step*1e-3*torch.tensor([-1.] + [1.]*3))
        assert not load.any(), "the next step counts anew"
