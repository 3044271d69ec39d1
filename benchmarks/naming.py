"""How well the chain's default training names pictures of an unseen style: three seeds on one style, then every artist held out in turn.

    python benchmarks/naming.py [--fresh] [--only STYLE ...]

Runs the chain's own stages (data, align, evaluate), about five minutes each on two cores; a run that is done is not repeated.
The peer is `pixel_neighbour`, measured in the same stage; chance and shuffled answers stand beside it. Writes naming.json here.
"""
import argparse
from pathlib import Path
from l1g1000.chain import ChainConfig, is_done, run_stage, stage_keys, versions
from l1g1000.core import progress, read_json, remove, write_json
from l1g1000.data.sources import STYLES

HERE = Path(__file__).parent
SEEDS, STYLE = (0, 1, 2), ChainConfig.held_out
FIRST = {o.artist: o.name for o in reversed(STYLES.values())} # each artist's main style
RUNS = [(STYLE, s) for s in SEEDS] + [(s, SEEDS[0]) for s in reversed(FIRST.values()) if s != STYLE]

def measure(style, seed, out):
    "Train and judge once → one row of the table"
    cfg, folder = ChainConfig(held_out=style, seed=seed), out/f"{style}-{seed}"
    keys = stage_keys(cfg)
    for name in ("data", "align", "evaluate"):
        if not is_done(folder/name, keys[name]): run_stage(name, cfg, folder, keys[name])
    s, seconds = read_json(folder/"evaluate"/"scores.json"), read_json(folder/"align"/"manifest.json")["seconds"]
    at = {o["method"]: o for o in s["rows"]}
    best, naive, shuffled, chance = s["rows"][0], at["nearest picture in pixels"], at["aligner, answers shuffled"], at["chance"]
    return dict(held_out=style, seed=seed, pictures=best["count"], top1=best["top1"], top5=best["top5"], pixel_neighbour=naive["top1"],
        times=s["times_naive"], shuffled=shuffled["top1"], chance=chance["top1"], training_seconds=round(seconds))

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--fresh", action="store_true", help="train again, even where a run is done")
    p.add_argument("--out", type=Path, default=HERE.parent/"out"/"naming", help="where the runs keep their stages")
    p.add_argument("--only", nargs="+", metavar="STYLE", choices=sorted({s for s,_ in RUNS}), help="measure these; the table's other rows stay as they are")
    a = p.parse_args()
    if a.fresh: remove(a.out)
    table = {(o["held_out"], o["seed"]): o for o in read_json(HERE/"naming.json")["rows"]} if a.only else {}
    for run in progress([o for o in RUNS if not a.only or o[0] in a.only], "naming", unit="run"):
        table[run] = measure(*run, a.out)
        print(table[run], flush=True)
        write_json(HERE/"naming.json", dict(command="python benchmarks/naming.py", made_with=versions(), rows=[table[o] for o in RUNS if o in table]))

if __name__ == "__main__": main()
