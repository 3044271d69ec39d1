"""How fast rows of text are cleaned, and how much memory it takes, beside the same rules in pandas.

    python benchmarks/clean.py

Names of the moji world in 122 languages, numbered so that they differ, with faults planted in one row of ten: 100,000, 300,000 and a million rows in
Parquet. `ours` and `pandas` mend, mask and drop by the same rules, exact duplicates included, and must keep the same number of rows; `all rules` adds wrong language and near
duplicates, `two processes` shares that work. Each run is a process of its own, so that its peak memory (sampled, with its workers) is its own; the four take turns. `idle` is the
share of the machine that nobody used in the second before a run: two processes are worth nothing where one core is taken. Six minutes on two free cores. Writes clean.json here.
"""
import json, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np, psutil, pyarrow as pa, pyarrow.parquet as pq
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.data.moji import load_moji

HERE, SIZES, ROUNDS = Path(__file__).parent, (100_000, 300_000, 1_000_000), 3
OURS = """
TEXT = [mend_text("text"), mask_private("text"), length("text", 1, 500), charset("text"), repetition("text")]
kept = clean(source, {rules}, num_proc={n}, out=target)[1].kept
"""
ALL = "[*TEXT, wrong_language('text', 'lang', load_identifier()), exact('text', 'lang'), near_text('text', 'lang')]"
PANDAS = r"""
import ftfy, pandas as pd, unicodedata
from l1g1000.data.rules import _ECHO, _ODD, _RUN
mask = mask_private("text").repair
d = pd.read_parquet(source)
d["text"] = d["text"].map(lambda s: " ".join(unicodedata.normalize("NFC", ftfy.fix_encoding(s)).split())).map(mask)
d = d[d["text"].str.len().between(1, 500)]
for bad in (_ODD, _RUN, _ECHO): d = d[~d["text"].map(lambda s: bad.search(s) is not None)]
d = d.drop_duplicates(["text", "lang"])
d.to_parquet(target, index=False)
kept = len(d)
"""
RUN = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import datasets, ftfy, pandas, phonenumbers, stdnum
from l1g1000.data.clean import clean
from l1g1000.data.language import load_identifier, near_text, wrong_language
from l1g1000.data.rules import charset, exact, length, mask_private, mend_text, repetition
source, target = sys.argv[1:]
start = time.perf_counter()
{}
print(json.dumps(dict(seconds=time.perf_counter()-start, kept=kept)))
"""
WAYS = {"ours": OURS.format(rules="[*TEXT, exact('text', 'lang')]", n=1), "pandas": PANDAS, "all rules": OURS.format(rules=ALL, n=1), "all rules, two processes": OURS.format(rules=ALL, n=2)}

def table(n, path):
    "A Parquet file of `n` rows, written in pieces"
    names, rng = load_moji().names[:], np.random.default_rng(0)
    faults = (lambda s: "", lambda s: s.encode().decode("latin-1"), lambda s: s + " a@example.org", lambda s: s + "!!!!!!!!", lambda s: s + "\x07", lambda s: s + " +1 650-253-0000")
    m = len(names["name"])
    with pq.ParquetWriter(path, pa.schema([("text", pa.string()), ("lang", pa.string())])) as w:
        for start in range(0, n, 50_000):
            at = range(start, min(n, start+50_000))
            texts = [f"{names['name'][k%m]} {k//m or ''}" for k in at]
            for k in np.flatnonzero(rng.random(len(texts)) < .1): texts[k] = faults[k%len(faults)](texts[k])
            w.write_table(pa.table({"text": texts, "lang": [names["lang"][k%m] for k in at]}))

def run(way, n, folder):
    "Clean once in a process of its own → what it took"
    args = [sys.executable, "-c", RUN.format(WAYS[way]), f"{folder}/{n}.parquet", f"{folder}/out.parquet"]
    idle = round(1-psutil.cpu_percent(1)/100, 2)
    with open(f"{folder}/said", "w+") as out, subprocess.Popen(args, stdout=out, stderr=subprocess.PIPE, text=True) as p:
        peak, me = 0, psutil.Process(p.pid)
        while p.poll() is None: # with its workers; a process that has just ended has no memory
            try: peak = max(peak, sum(o.memory_info().rss for o in [me, *me.children(recursive=True)]))
            except psutil.Error: continue
            time.sleep(.02)
        if p.returncode: sys.exit(p.stderr.read())
        out.seek(0)
        return dict(who=way, rows=n, peak_mb=round(peak/2**20), idle=idle) | json.loads(out.read().splitlines()[-1])

def main():
    rows = []
    with tempfile.TemporaryDirectory() as d:
        for n in SIZES: table(n, f"{d}/{n}.parquet")
        for n,way in progress([(n, o) for n in SIZES for _ in range(ROUNDS) for o in WAYS], "runs", unit="run"):
            rows.append(run(way, n, d))
            print(rows[-1], flush=True)
    def mid(who, n, k): return float(np.median([o[k] for o in rows if (o["who"], o["rows"]) == (who, n)]))
    for n in SIZES:
        if len({o["kept"] for o in rows if o["rows"] == n and o["who"] in ("ours", "pandas")}) > 1: sys.exit(f"ours and pandas keep different rows of {n:,}")
    sizes = [dict(rows=n, **{w: dict(rows_per_second=round(n/mid(w, n, "seconds")), peak_mb=mid(w, n, "peak_mb"), times_pandas=round(mid("pandas", n, "seconds")/mid(w, n, "seconds"), 2)) for w in WAYS}) for n in SIZES]
    slope = {w: round((mid(w, SIZES[-1], "peak_mb")-mid(w, SIZES[0], "peak_mb"))*2**20/(SIZES[-1]-SIZES[0]), 1) for w in WAYS}
    write_json(HERE/"clean.json", dict(command="python benchmarks/clean.py", made_with=versions(), sizes=sizes, bytes_a_row=slope, runs=rows))

if __name__ == "__main__": main()
