"""The logs of nano's trainings, thinned to what a plot needs: every evaluation, and as many steps as make 200 lines in all.

    l1g1000 train nano --out out/nano
    python benchmarks/nano_curve.py [--log out/nano/log.jsonl] [--command "l1g1000 train nano"] [--rows 32] [--after 0]

Writes nano_curve.json here: one entry for each command; without a log what is there stays.
"""
import argparse, json
from pathlib import Path
from l1g1000.chain import versions
from l1g1000.core import read_json, write_json

HERE, MOST = Path(__file__).parent, 200

def thin(lines, most):
    "All evaluations, and of the other lines evenly many, the last among them"
    evals = [o for o in lines if "eval_loss" in o]
    steps = [o for o in lines if "loss" in o]
    room = max(2, most-len(evals))
    keep = steps if len(steps) <= room else [steps[round(i*(len(steps)-1)/(room-1))] for i in range(room)]
    return [{k: round(v, 5) for k,v in o.items() if v is not None} for o in sorted([*keep, *evals], key=lambda o: (o["step"], "eval_loss" in o))]

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--log", type=Path, default=HERE.parent/"out"/"nano"/"log.jsonl", help="what the training wrote")
    p.add_argument("--command", default="l1g1000 train nano", help="how it was called")
    p.add_argument("--rows", type=int, default=32, help="rows in a step of that training")
    p.add_argument("--after", type=int, default=0, help="rows that the weights had read before, where it began with start=")
    a, out = p.parse_args(), HERE/"nano_curve.json"
    if not a.log.is_file(): return print(f"no log at {a.log}: nano_curve.json stays as it is; train with l1g1000 train nano --out out/nano")
    text = a.log.read_text(encoding="utf-8")
    lines = [json.loads(o) for o in text[:text.rfind("\n")+1].splitlines()]
    runs = {o["command"]: o for o in (read_json(out)["runs"] if out.is_file() else [])}
    runs[a.command] = dict(command=a.command, rows=a.rows, after=a.after, made_with=versions(), lines=thin(lines, MOST))
    write_json(out, dict(runs=list(runs.values())))

if __name__ == "__main__": main()
