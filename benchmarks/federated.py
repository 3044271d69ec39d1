"""Federated averaging on the credit data: banks with alike and with unlike customers, each a process of its own, beside all rows in one place, each bank alone, a liar, noise at the source, and Flower.

    python benchmarks/federated.py            # all of it, about two minutes on one core
    python benchmarks/federated.py banks      # one of banks, flower, anew

As in privacy.py a fifth of the loans is public and gives the scale of the inputs. No setting was tried out: those are the defaults of Federation, with 20 rounds (with noise, 64 rows in a step).
Flower wants older versions of a dozen packages than requirements.lock has, so it gets an environment of its own in the cache, at first through pip; without a network it is left out.
Writes federated.json here.
"""
import os, signal, socket, subprocess, sys, tempfile, time, venv
from dataclasses import asdict, replace
from pathlib import Path
import numpy as np
from l1g1000.adapt.tabular import folds
from l1g1000.chain import versions
from l1g1000.core import home, progress, read_json, remove, write_json
from l1g1000.evaluate.metrics import auc
from l1g1000.privacy.clients import federate
from l1g1000.privacy.dpsgd import Privacy, PrivateRun, plan_private
from l1g1000.privacy.federated import Federation, RULES, blank, fed_avg, local_steps, scores
from l1g1000.train.settings import TrainConfig
from privacy import loans # benchmarks/privacy.py

FILE, SEEDS, BANKS, CFG = Path(__file__).with_suffix(".json"), 5, "north east south west middle".split(), Federation(rounds=20, patience=60.)
FLOWER = "1.42.0"

def shared():
    "The loans that the banks hold, and which of them are of an age"
    rows, x, y, private, public = loans()
    x, age = x.astype(float), rows["Age"].to_numpy()
    unlike = np.searchsorted(np.quantile(age[public][np.isfinite(age[public])], (.2, .4, .6, .8)), age) # the customers of a bank are of an age
    return x[private], y[private], unlike[private]

def risk(w, x): return scores(w, x)[:, 1]

def liar(weights, parts): return [*parts[:-1], {k: weights[k] - 20*(parts[-1][k]-weights[k]) for k in weights}]

def with_liar(shards, rule, lies, seed):
    w, cfg = blank(shards[0][0].shape[1], 2), replace(CFG, rule=rule, seed=seed)
    for r in range(cfg.rounds):
        parts = [local_steps(w, *o, cfg, r, i) for i,o in enumerate(shards)]
        w = RULES[rule](liar(w, parts) if lies else parts, [len(o[1]) for o in shards])
    return w

def noisy(shards, epsilon, seed, size=64):
    "Each bank with as much noise as its own rows need"
    least = min(len(o[1]) for o in shards)
    plan = plan_private(least, PrivateRun(TrainConfig(batch_size=size, steps=CFG.rounds*-(-max(len(o[1]) for o in shards)//size)), Privacy(epsilon, 1e-5))) # of the bank with the fewest rows, for the steps of the one with the most
    return fed_avg(blank(shards[0][0].shape[1], 2), shards, replace(CFG, batch_size=size, noise=plan["noise"], seed=seed))[-1]

def banks():
    x, y, unlike = shared()
    out = []
    for seed in progress(range(SEEDS), "seeds"):
        a,b = folds(y, count=5, seed=seed)[0]
        test = lambda w: auc(y[b], risk(w, x[b]))
        mixed = np.random.default_rng(seed).permutation(len(a)) % len(BANKS)
        for kind,who in (("alike", mixed), ("unlike", unlike[a])):
            shards = [(x[a][who == i], y[a][who == i]) for i in range(len(BANKS))]
            cfg = replace(CFG, seed=seed)
            with tempfile.TemporaryDirectory() as tmp: w,log = federate(dict(zip(BANKS, shards)), 2, cfg, tmp, lambda r, w: test(w))
            assert all(o["clients"] == BANKS for o in log)
            loop = fed_avg(blank(x.shape[1], 2), shards, cfg)[-1]
            out.append(dict(seed=seed, kind=kind, rows=[len(o[1]) for o in shards], bad=[float(o[1].mean()) for o in shards], federated=test(w), differs_from_loop=max(float(abs(w[k]-loop[k]).max()) for k in w), by_round=[o["seen"] for o in log],
                central=test(fed_avg(blank(x.shape[1], 2), [(x[a], y[a])], cfg)[-1]), alone=[test(fed_avg(blank(x.shape[1], 2), [o], cfg)[-1]) for o in shards],
                rules={r: dict(honest=test(with_liar(shards, r, False, seed)), liar=test(with_liar(shards, r, True, seed))) for r in RULES}, private={str(e): test(noisy(shards, e, seed)) for e in (1, 3, 8)},
                bytes=sum(o["sent"]+o["received"] for o in log), bytes_of_rows=int(sum(o[0].nbytes for o in shards)), seconds=sum(o["seconds"] for o in log)))
    def mean(f, kind): return dict(mean=float(np.mean(v := [f(o) for o in out if o["kind"] == kind])), spread=float(np.std(v, ddof=1)))
    pick = dict(federated=lambda o: o["federated"], central=lambda o: o["central"], alone=lambda o: float(np.mean(o["alone"])), worst_alone=lambda o: min(o["alone"])) | {f"ε = {e}": lambda o, e=e: o["private"][str(e)] for e in (1, 3, 8)} | {f"{r}, {h}": lambda o, r=r, h=h: o["rules"][r][h] for r in RULES for h in ("honest", "liar")}
    return dict(clients=len(BANKS), rounds=CFG.rounds, tested=len(b), runs=out, summary={kind: {k: mean(f, kind) for k,f in pick.items()} for kind in ("alike", "unlike")})

# Flower: a SuperLink, five SuperNodes, the same local steps

APP = '''import numpy as np
from flwr.app import ArrayRecord, MetricRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from l1g1000.privacy.federated import Federation, blank, local_steps
client = ClientApp() # one to a line: Flower looks for the names before it runs anything
server = ServerApp()
FOLDER, ROUNDS, CLIENTS = {folder!r}, {rounds}, {clients}

@client.train()
def train(msg, context):
    me = int(context.node_config["partition-id"])
    with np.load(f"{{FOLDER}}/{{me}}.npz") as o: x, y = o["x"], o["y"]
    b, w = msg.content["arrays"].to_numpy_ndarrays()
    new = local_steps(dict(b=b, w=w), x, y, Federation(**{cfg!r}), int(msg.content["config"]["server-round"])-1, me)
    return Message(content=RecordDict(dict(arrays=ArrayRecord([new["b"], new["w"]]), metrics=MetricRecord({{"num-examples": len(y)}}))), reply_to=msg)

@server.main()
def main(grid, context):
    start = blank({inputs}, 2)
    done = FedAvg(fraction_evaluate=0., min_train_nodes=CLIENTS, min_available_nodes=CLIENTS).start(grid=grid, initial_arrays=ArrayRecord([start["b"], start["w"]]), num_rounds=ROUNDS)
    np.savez(f"{{FOLDER}}/done.npz", *done.arrays.to_numpy_ndarrays())
'''
PROJECT = '''[project]
name = "judge"
version = "1.0.0"
description = "FedAvg as a judge"
license = "Apache-2.0"
dependencies = []
[tool.flwr.app]
publisher = "l1g1000"
[tool.flwr.app.components]
serverapp = "judge.app:server"
clientapp = "judge.app:client"
'''

def flower_python():
    "An environment with Flower, and the NumPy of this one"
    folder = home(f"flower-{FLOWER}-numpy-{np.__version__}")
    if not (folder/"ready").is_file():
        remove(folder)
        venv.create(folder, with_pip=True)
        if subprocess.run([folder/"bin"/"python", "-m", "pip", "install", "--quiet", f"flwr=={FLOWER}", f"numpy=={np.__version__}"], stdout=sys.stderr).returncode: raise ConnectionError(f"flwr {FLOWER} can't be installed here")
        (folder/"ready").touch()
    return folder/"bin"

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s: return s.getsockname()[1]

def flower(rounds=2):
    x, y, _ = shared()
    shards = [(x[i::5], y[i::5]) for i in range(5)]
    cfg = replace(CFG, rounds=rounds)
    bin_ = flower_python()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for i,(a,b) in enumerate(shards): np.savez(tmp/f"{i}.npz", x=a, y=b)
        (tmp/"app"/"judge").mkdir(parents=True)
        (tmp/"app"/"pyproject.toml").write_text(PROJECT)
        (tmp/"app"/"judge"/"__init__.py").touch()
        (tmp/"app"/"judge"/"app.py").write_text(APP.format(folder=str(tmp), rounds=rounds, clients=len(shards), cfg=asdict(cfg), inputs=x.shape[1]))
        port, started = free_port(), time.perf_counter()
        (tmp/"config.toml").write_text(f'[superlink]\ndefault = "local"\n\n[superlink.local]\naddress = "127.0.0.1:{port}"\ninsecure = true\n')
        env = os.environ | dict(FLWR_HOME=str(tmp), HOME=str(tmp), FLWR_TELEMETRY_ENABLED="0", PYTHONPATH=str(Path(__file__).parents[1]), PATH=f"{bin_}:{os.environ['PATH']}")
        def run(*args, log): return subprocess.Popen([str(o) for o in args], cwd=tmp, env=env, stdout=open(tmp/log, "w"), stderr=subprocess.STDOUT, start_new_session=True)
        people = [run(bin_/"flower-superlink", "--insecure", "--port", port, "--disable-runtime-dependency-installation", log="link.log")]
        try:
            time.sleep(5)
            people += [run(bin_/"flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}", "--port", free_port(), "--node-config", f"partition-id={i}", log=f"node-{i}.log") for i in range(len(shards))]
            time.sleep(8)
            told = subprocess.run([bin_/"flwr", "run", "app", "local", "--stream"], cwd=tmp, env=env, capture_output=True, text=True, timeout=400)
            if not (tmp/"done.npz").is_file(): raise ConnectionError(f"Flower did not finish: {(told.stdout + told.stderr)[-600:]}")
            with np.load(tmp/"done.npz") as o: theirs = dict(b=o["arr_0"], w=o["arr_1"])
        finally:
            for p in people:
                try: os.killpg(p.pid, signal.SIGTERM)
                except ProcessLookupError: pass
            for p in people:
                try: p.wait(20)
                except subprocess.TimeoutExpired: os.killpg(p.pid, signal.SIGKILL); p.wait()
        took = time.perf_counter()-started
        with tempfile.TemporaryDirectory() as mine: start = time.perf_counter(); ours,_ = federate(dict(zip(BANKS, shards)), 2, cfg, mine); own = time.perf_counter()-start
    return dict(version=FLOWER, clients=len(shards), rounds=rounds, largest_weight=float(max(abs(v).max() for v in ours.values())), differs_by=float(max(abs(ours[k]-theirs[k]).max() for k in ours)), times_our_seconds=took/own)

def main(only=None):
    kept = read_json(FILE) if FILE.is_file() else {}
    for f in (banks, flower):
        if only not in (None, f.__name__): continue
        try: kept[f.__name__] = f()
        except ConnectionError as e: print(f"{f.__name__} is left out: {e}", file=sys.stderr)
        write_json(FILE, dict(command="python benchmarks/federated.py", made_with=versions()) | {k: v for k,v in kept.items() if k not in ("command", "made_with")})
    for kind,o in kept.get("banks", {}).get("summary", {}).items(): print(kind, *(f"{k} {v['mean']:.3f} ± {v['spread']:.3f};" for k,v in o.items()))
    print(kept.get("flower"))

if __name__ == "__main__": main(*sys.argv[1:2])
