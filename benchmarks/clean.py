"""How fast rows of text are cleaned, and how much memory it takes, beside the same rules in pandas.

    python benchmarks/clean.py

Names of the moji world in 122 languages, numbered so that they differ, with faults planted in one row of ten; 100,000, 300,000 and a million rows.
Each run is a process of its own, so that its peak memory is its own; ours and pandas take turns. Writes clean.json here.
"""
import json, subprocess, sys, tempfile
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.data.moji import load_moji

HERE, SIZES, ROUNDS = Path(__file__).parent, (100_000, 300_000, 1_000_000), 3

OURS = """
from l1g1000.data.clean import clean_parquet
r = clean_parquet(source, target)
kept = r.kept
"""
PANDAS = """
import ftfy, pandas as pd, unicodedata
from l1g1000.data.clean import _ECHO, _ODD, _RUN, mask_private
d = pd.read_parquet(source)
d["text"] = d.text.map(lambda s: " ".join(unicodedata.normalize("NFC", ftfy.fix_text(s)).split())).map(mask_private)
ok = d.text.str.len().between(1, 500) & ~d.text.str.contains(_ODD) & ~d.text.str.contains(_RUN) & ~d.text.str.contains(_ECHO)
d = d[ok]
d = d[~d.text.str.normalize("NFKC").str.casefold().str.replace(r"\\s+", "", regex=True).duplicated()]
d.to_parquet(target, index=False)
kept = len(d)
"""
RUN = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import datasets, ftfy, l1g1000.data.clean, pandas, phonenumbers, stdnum
source, target = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
{}
print(json.dumps(dict(seconds=time.perf_counter()-start, kept=kept, extra_mb=(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss-before)/1e3)))
"""

def table(n, path):
    "A Parquet file of `n` rows, written in pieces"
    names, rng = load_moji().names["name"][:], np.random.default_rng(0)
    faults = (lambda s: "", lambda s: s.encode().decode("latin-1"), lambda s: s + " a@example.org", lambda s: s + "!!!!!!!!", lambda s: s + "\x07")
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as w:
        for start in range(0, n, 50_000):
            texts = [f"{names[k%len(names)]} {k//len(names) or ''}" for k in range(start, min(n, start+50_000))]
            for k in np.flatnonzero(rng.random(len(texts)) < .1): texts[k] = faults[k%len(faults)](texts[k])
            w.write_table(pa.table({"text": texts}))

def main():
    rows = []
    with tempfile.TemporaryDirectory() as d:
        for n in SIZES: table(n, f"{d}/{n}.parquet")
        for n,_,(who,code) in progress([(n, r, o) for n in SIZES for r in range(ROUNDS) for o in (("ours", OURS), ("pandas", PANDAS))], "runs", unit="run"):
            done = subprocess.run([sys.executable, "-c", RUN.format(code), f"{d}/{n}.parquet", f"{d}/out.parquet"], capture_output=True, text=True)
            if done.returncode: sys.exit(done.stderr)
            rows.append(dict(who=who, rows=n) | json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    mid = {(w, n): [float(np.median([o[k] for o in rows if (o["who"], o["rows"]) == (w, n)])) for k in ("seconds", "extra_mb")] for w in ("ours", "pandas") for n in SIZES}
    out = [dict(rows=n, rows_per_second=n/mid["ours", n][0], times_pandas=mid["pandas", n][0]/mid["ours", n][0], extra_mb=mid["ours", n][1], pandas_mb=mid["pandas", n][1]) for n in SIZES]
    big, small = out[-1], out[0]
    write_json(HERE/"clean.json", dict(command="python benchmarks/clean.py", made_with=versions(), sizes=out,
        bytes_per_row=1e6*(big["extra_mb"]-small["extra_mb"])/(big["rows"]-small["rows"]), runs=rows))

if __name__ == "__main__": main()
