"""What batching is worth on one core, in one process: calls of a model by their size, requests a second with and without batches, and texts that join and leave.

    python benchmarks/batcher.py [calls] [served] [rest] [writing]

Three models: `pictures` (the shipped picture tower through ONNX Runtime, with decoded pictures in and names out), `texts` (the shipped nano reads 16 ids) and `mlp` (two matrices, 256 × 512).
`calls` is the time of one call by its size. `served` is a closed loop of 64 clients on the batcher of page 80, whose batches hold 1, 8 or 32 requests. `rest` is the same for pictures over HTTP,
with 32 clients on the same core, which cost more than the model: a lower bound. `writing` is 24 prompts for nano whose texts get 4 to 48 tokens long: one at a time, eight together until the longest
is complete (page 36), and eight that join and leave (page 84); also the mean time until a text is complete, when all are asked for at once. All rivals of a table take turns, so that a change of the machine's speed meets all of them; what counts is the ratio of
the medians in the same run. Times are the process's own processor time: on one core that is what an answer costs, and other work on the machine stretches it less. Writes batcher.json here.
"""
import asyncio, os, sys, tempfile, time
from pathlib import Path
os.environ |= dict(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
import numpy as np, torch
from PIL import Image
from l1g1000.chain import versions
from l1g1000.core import one_of, progress, read_json, write_json
from l1g1000.data.clip import Clip, checkpoint
from l1g1000.model.generate import Sampling, stream
from l1g1000.nano.model import Nano
from l1g1000.picture import encode_png
from l1g1000.quant.ort import cpu_features, export_onnx
from l1g1000.serve.batcher import Batcher, Continuous
from l1g1000.serve.rest import drive, make_app, serve_in_background
from l1g1000.serve.service import Service, save_artefact
from l1g1000.serve.writer import Ask, Writer

FILE, SIZES, ROUNDS, CLIENTS, EACH = Path(__file__).with_suffix(".json"), (1, 2, 4, 8, 16, 32, 64), 9, 64, 4
BATCHES, WIDE = (1, 8, 32), 8

class Fn:
    "A function of a list as a predictor, and the model behind it"
    def __init__(self, predict, model): self.predict, self.model = predict, model

def pictures(folder):
    clip = Clip(checkpoint("moji-clip"))
    rng = np.random.default_rng(0)
    export_onnx(clip.model.visual, torch.zeros(8, 3, clip.size, clip.size), folder/"model.onnx")
    width = clip.model.visual(torch.zeros(1, 3, clip.size, clip.size)).shape[1]
    arrows = rng.normal(size=(1391, width))
    save_artefact(folder, arrows/np.linalg.norm(arrows, axis=1, keepdims=True), [str(i) for i in range(1391)], {"en": [f"name {i}" for i in range(1391)]}, clip.size)
    return Service(folder), [Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(64)]

def texts(model):
    read = torch.inference_mode()(lambda inputs: list(model.scores(model.hidden(torch.tensor(inputs))[:, -1]).numpy()))
    return Fn(read, model), np.random.default_rng(0).integers(0, 6000, (64, 16)).tolist()

def mlp():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256))
    return Fn(torch.inference_mode()(lambda inputs: list(net(torch.from_numpy(np.stack(inputs))).numpy())), net), list(np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32))

def clock(f, *args, times=5): # several at once, or a short one is mostly the cold start after its rival
    start = time.process_time()
    for _ in range(times): f(*args)
    return (time.process_time()-start)/times

def turns(rivals, rounds, what):
    "Name → seconds of each round; the first round warms up"
    took, names = {k: [] for k in rivals}, list(rivals)
    for i in progress(range(rounds+1), what, unit="round"):
        for k in names[i%len(names):] + names[:i%len(names)]:
            s = rivals[k]()
            if i: took[k].append(s)
    return took

def rated(took, count):
    "Seconds of `count` things in each round → things a second, and how many times as many as the first rival's"
    rows = {k: dict(per_second=float(np.median(count/np.array(t))), spread=[float(o) for o in np.percentile(count/np.array(t), [10, 90])]) for k,t in took.items()}
    first = next(iter(rows.values()))["per_second"]
    return {k: o | dict(ratio=o["per_second"]/first) for k,o in rows.items()}

async def closed_loop(predictor, inputs, size):
    "Seconds in which all clients have all their answers"
    async with Batcher(predictor, size, .002, CLIENTS) as batcher:
        async def client(i):
            for k in range(EACH): await batcher.submit(inputs[(i+k)%len(inputs)])
        start = time.process_time()
        await asyncio.gather(*(client(i) for i in range(CLIENTS)))
        return time.process_time()-start

def writing(model):
    "Rivals that write the same texts: each gives its seconds, and the mean seconds until a text was complete"
    rng = np.random.default_rng(1)
    asks = [Ask(rng.integers(0, 6000, 12).tolist(), Sampling(int(n))) for n in rng.integers(4, 49, 24)]
    def together():
        start, ends = time.process_time(), []
        for i in range(0, len(asks), WIDE):
            group = asks[i:i+WIDE]
            lengths, written = [o.how.max_new_tokens for o in group], [0]*len(group)
            for t in stream(model, [o.ids for o in group], Sampling(max(lengths))):
                written[t.row] += 1
                if written[t.row] == lengths[t.row]: ends.append(time.process_time()-start)
        return time.process_time()-start, np.mean(ends)
    async def continuous(size):
        start = time.process_time()
        async def one(ask):
            await batcher.write(ask)
            return time.process_time()-start
        async with Continuous(Writer(model), size, len(asks)) as batcher: ends = await asyncio.gather(*map(one, asks))
        return time.process_time()-start, np.mean(ends)
    return {"one at a time": lambda: asyncio.run(continuous(1)), f"{WIDE} together": together, f"{WIDE}, join and leave": lambda: asyncio.run(continuous(WIDE))}, sum(o.how.max_new_tokens for o in asks)

def over_rest(service, bodies):
    def rival(size):
        def run():
            with serve_in_background(make_app(service, size=size)) as url:
                start = time.process_time()
                r = drive(url, bodies, 192, 32)
                seconds = time.process_time()-start
            if r["errors"]: raise RuntimeError(f"{r['errors']} requests failed")
            return seconds
        return run
    return {f"batches of {n}": rival(n) for n in (1, 32)}, 192

def calls(models):
    out = {}
    for name,(p,inputs) in models.items():
        took = turns({n: (lambda n=n: clock(p.predict, inputs[:n])) for n in SIZES}, ROUNDS, f"calls of {name}")
        out[name] = {str(n): dict(ms=float(np.median(t))*1e3, spread=[float(o)*1e3 for o in np.percentile(t, [10, 90])]) for n,t in took.items()}
    return out

def served(models):
    return {name: rated(turns({f"batches of {n}": (lambda n=n: asyncio.run(closed_loop(p, inputs, n))) for n in BATCHES}, ROUNDS, f"requests for {name}"), CLIENTS*EACH) for name,(p,inputs) in models.items()}

def rest(models):
    service, inputs = models["pictures"]
    rivals,count = over_rest(service, [encode_png(o) for o in inputs])
    return rated(turns(rivals, 5, "rest"), count)

def texts_written(models):
    rivals,count = writing(models["texts"][0].model)
    took = turns(rivals, 5, "writing")
    return {k: o | dict(complete_after=float(np.median([b for _,b in took[k]]))) for k,o in rated({k: [a for a,_ in t] for k,t in took.items()}, count).items()}

SECTIONS = dict(calls=calls, served=served, rest=rest, writing=texts_written)

def main(*sections):
    for o in sections: one_of("section", o, SECTIONS)
    torch.set_num_threads(1)
    out = (read_json(FILE) if FILE.is_file() else {}) | dict(command="python benchmarks/batcher.py", threads=1, cpu=", ".join(k for k,v in cpu_features().items() if v), made_with=versions(), rounds=ROUNDS)
    with tempfile.TemporaryDirectory() as tmp:
        models = dict(pictures=pictures(Path(tmp)), texts=texts(Nano.load(checkpoint("nano")).model), mlp=mlp())
        for k in sections or SECTIONS:
            out[k] = SECTIONS[k](models)
            print(k, out[k], flush=True)
    write_json(FILE, out)

if __name__ == "__main__": main(*sys.argv[1:])
