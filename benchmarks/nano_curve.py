"""The log of nano's first minutes, thinned to what a plot needs: every evaluation, and as many steps as make 200 lines in all.

    l1g1000 train nano-quick --out out/nano
    python benchmarks/nano_curve.py [--log out/nano/log.jsonl]

Writes nano_curve.json here; without a log the one that is there stays.
"""
import argparse, json
from pathlib import Path
from l1g1000.chain import versions
from l1g1000.core import write_json

HERE, MOST = Path(__file__).parent, 200

def thin(lines, most):
    "All evaluations, and of the other lines evenly many, the last among them"
    evals = [o for o in lines if "eval_loss" in o]
    steps = [o for o in lines if "loss" in o]
    room = max(2, most-len(evals))
    keep = steps if len(steps) <= room else [steps[round(i*(len(steps)-1)/(room-1))] for i in range(room)]
    return [{k: round(v, 5) for k,v in o.items() if v is not None} for o in sorted([*keep, *evals], key=lambda o: (o["step"], "eval_loss" in o))]

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--log", type=Path, default=HERE.parent/"out"/"nano"/"log.jsonl", help="what the training wrote")
    a = p.parse_args()
    if not a.log.is_file(): return print(f"no log at {a.log}: nano_curve.json stays as it is; train with l1g1000 train nano-quick --out out/nano")
    text = a.log.read_text(encoding="utf-8")
    lines = [json.loads(o) for o in text[:text.rfind("\n")+1].splitlines()]
    write_json(HERE/"nano_curve.json", dict(command="l1g1000 train nano-quick --out out/nano", made_with=versions(), lines=thin(lines, MOST)))

if __name__ == "__main__": main()
