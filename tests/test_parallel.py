"Two and four processes learn what one learns, in every strategy; a lost process ends the job with a clear word, and a restart goes on"
import json, os, signal, subprocess, sys, time
from importlib.util import find_spec
from pathlib import Path
import pytest, torch
import parallel_worker
from parallel_worker import batch, train
from l1g1000.train.parallel import deepspeed_config, gather_sum, launch, make_accelerator

WORKER = Path(parallel_worker.__file__)
pytestmark = pytest.mark.timeout(300)

def start(tmp, n, runs, restarts=0, **job):
    "Run the worker: the exit status, the last word, and where each run left its files"
    for name in runs: (tmp/name).mkdir(parents=True, exist_ok=True)
    (tmp/"job.json").write_text(json.dumps(dict(job, runs={str(tmp/k): v for k,v in runs.items()})))
    status = launch([WORKER, tmp/"job.json"], n, restarts, log=tmp/"log")
    return status, (tmp/"log").read_text()

def learned(folder): return torch.load(folder/"checkpoint.pt")["model"]
def said(folder): return json.loads((folder/"said.json").read_text())
def far(a, b):
    assert a.keys() == b.keys()
    return max((a[k]-b[k]).abs().max().item() for k in a)

@pytest.fixture(scope="module")
def one(tmp_path_factory):
    "One process with the whole batch: what it has learned after `steps`"
    def run(steps, size, precision="fp32"):
        out = tmp_path_factory.mktemp("one")
        train(dict(out=out, steps=steps, batch=size), make_accelerator("single", precision, cpu=True))
        return learned(out)
    return run

def test_two_processes_learn_what_one_learns(one, tmp_path):
    runs = {"ddp": dict(strategy="ddp"), "ddp, micro-batches": dict(strategy="ddp", accumulation=4), "fsdp": dict(strategy="fsdp"),
        "fsdp, micro-batches, layers": dict(strategy="fsdp", accumulation=2, blocks=["Block"]), "means of means": dict(strategy="ddp", naive=True),
        "fp16": dict(strategy="ddp", precision="fp16"), "bf16, fsdp": dict(strategy="fsdp", precision="bf16")}
    status,log = start(tmp_path, 2, runs, steps=5, batch=32, processes=2)
    assert status == 0, log
    whole = one(5, 32)
    for name in runs:
        d, low = far(whole, learned(tmp_path/name)), "16" in name
        assert d < .1 if low else (d > 1e-3) if name == "means of means" else d <= 1e-5, f"{name}: {d}"
        s, sharded = said(tmp_path/name), "fsdp" in name
        assert s["type"] == ("FSDP" if sharded else "MULTI_CPU")
        assert s["local"] <= .55*s["of"] if sharded else s["local"] == s["of"]
    assert far(one(5, 32, "fp16"), whole) > 0 and far(learned(tmp_path/"bf16, fsdp"), whole) > 0, "the precision was ignored"

def test_four_times_256_is_1024(one, tmp_path):
    status,log = start(tmp_path, 4, {k: dict(strategy=k) for k in ("ddp", "fsdp")}, steps=3, batch=1024, processes=4)
    assert status == 0, log
    whole = one(3, 1024)
    for k in ("ddp", "fsdp"):
        assert far(whole, learned(tmp_path/k)) <= 1e-5
        assert said(tmp_path/k)["rows"] == 4*256 == 1024

def test_a_killed_process_ends_the_job_and_the_checkpoint_goes_on(one, tmp_path):
    "Two processes; rank 1 dies in step 3, the restart goes on from step 2 and loses it again in step 5; one process takes over what they saved"
    status,log = start(tmp_path, 2, {"run": dict(strategy="fsdp", blocks=["Block"])}, restarts=1, steps=8, batch=32, every=2, kill=[[1, 3, 0], [1, 5, 1]])
    last = log.strip().split("\n\n")[-1]
    assert status == 1 and "rank 1 of 2" in last and "SIGKILL (signal 9)" in last and "start the same command again to go on" in last, log
    assert (tmp_path/"run"/"begun").read_text().split() == ["0", "2"], "the restart must go on from the checkpoint"
    assert torch.load(tmp_path/"run"/"checkpoint.pt")["step"] == 4
    begun,_ = train(dict(out=tmp_path/"run", steps=8, batch=32), make_accelerator(cpu=True))
    assert begun == 4 and far(one(8, 32), learned(tmp_path/"run")) <= 1e-5

def test_a_script_that_fails_is_named_and_restarts_end(tmp_path):
    (tmp_path/"fails.py").write_text("import os, sys\nsys.exit(7 if os.environ['RANK'] == '0' else 0)\n")
    assert launch([tmp_path/"fails.py"], 2, restarts=1, log=tmp_path/"log") == 1
    last = (tmp_path/"log").read_text().strip().split("\n\n")[-1]
    assert "1 restarts did not help" in last and "rank 0 of 2" in last and "exit status 7" in last

def test_nothing_is_left_when_the_job_is_interrupted(tmp_path):
    (tmp_path/"waits.py").write_text(f"import os, time\nopen({str(tmp_path)!r} + '/' + str(os.getpid()), 'w')\ntime.sleep(100)\n")
    job = subprocess.Popen([sys.executable, "-c", f"from l1g1000.train.parallel import launch; launch([{str(tmp_path/'waits.py')!r}], 2)"], stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # a shell's background job would hand down a deaf ear to Ctrl-C
    ids = lambda: [int(o.name) for o in tmp_path.iterdir() if o.name.isdigit()]
    end = time.monotonic() + 60
    while len(ids()) < 2 and time.monotonic() < end: time.sleep(.1)
    job.send_signal(signal.SIGINT)
    assert job.wait(60) and len(ids()) == 2
    for pid in ids():
        with pytest.raises(ProcessLookupError): os.kill(pid, 0)

@pytest.mark.parametrize("world,strategy,kw,words", [
    (1, "ddp", dict(processes=2), "processes=2 were asked for and 1 started"),
    (1, "single", dict(processes=2), "processes=2 were asked for and 1 started"),
    (4, "ddp", dict(processes=2), "processes=2 were asked for and 4 started"),
    (4, "single", {}, "each would train a model of its own"),
    (None, "fsdp", {}, "needs processes that know of each other"),
    (2, "ddp", dict(cpu=False), "2 processes on this machine and 0 GPUs"),
    (2, "deepspeed", {}, "needs its settings"),
    (2, "deepspeed", dict(deepspeed=deepspeed_config(2, "bf16", processes=2)), "make it with deepspeed_config of the same"),
    (2, "ddp", dict(blocks=("Block",)), "leave it out"),
    (2, "ddp", dict(accumulation=0), "accumulation=0"),
    (2, "ddp", dict(precision="fp8"), "unknown precision"),
])
def test_a_world_other_than_asked_for_is_refused(world, strategy, kw, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for k in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "LOCAL_RANK", "RANK"): monkeypatch.delenv(k, raising=False)
    if world:
        for k,v in dict(WORLD_SIZE=world, LOCAL_WORLD_SIZE=world, LOCAL_RANK=0, RANK=0).items(): monkeypatch.setenv(k, str(v))
    with pytest.raises(ValueError, match=words): make_accelerator(strategy, **dict(cpu=True) | kw)
    assert not torch.distributed.is_initialized()

def test_accelerators_of_one_process_take_over_from_each_other():
    for precision in ("fp32", "bf16", "fp16", "fp32"):
        accelerator = make_accelerator(precision=precision, cpu=True, accumulation=3)
        assert accelerator.mixed_precision == precision.replace("fp32", "no") and (accelerator.scaler is not None) == (precision == "fp16")
        assert accelerator.gradient_accumulation_steps == 3 and gather_sum(accelerator, 2**60 + 1) == 2**60 + 1

def test_the_batch_is_uneven():
    _,counts = batch(0, 32)
    assert counts[:16].sum() < .5*counts[16:].sum(), "or averaging means would go unnoticed"

@pytest.mark.parametrize("stage", (1, 2, 3))
def test_deepspeed_learns_what_one_process_learns(stage, one, tmp_path, monkeypatch):
    if not find_spec("deepspeed"): pytest.skip("DeepSpeed is not installed: pip install deepspeed")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "") # Accelerate would send it to a GPU
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path/"built")) # where it would put what it compiles
    status,log = start(tmp_path, 2, {"run": dict(strategy="deepspeed", accumulation=2, stage=stage)}, steps=4, batch=32, processes=2)
    assert status == 0, log
    assert far(one(4, 32), learned(tmp_path/"run")) <= 1e-5
    assert not (tmp_path/"built").exists(), "no compiler must be needed"
