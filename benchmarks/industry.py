"""What the industry templates make of the data that stand in for a user's, beside their rivals and who does not look: every task, three seeds.

    python benchmarks/industry.py            # every task that can be had here; what is there already is kept
    python benchmarks/industry.py credit     # one task, anew

A seed cuts the rows anew and begins the learning anew. Sets that only a mirror holds are measured where L1G1000_DATA names one.
"""
import sys, time
from pathlib import Path
import numpy as np
from l1g1000.chain import versions
from l1g1000.core import read_json, write_json
from l1g1000.industry.template import evaluate_task, known_templates, load_template, phrases_of, task_rows

FILE, SEEDS = Path(__file__).with_suffix(".json"), 3

def measure(template, name, task, seed):
    rows,about = task_rows(task)
    start = time.process_time()
    report = evaluate_task(task, rows, phrases_of(template, task), seed, say=lambda s: print(f"{name}, seed {seed}: {s}", file=sys.stderr, flush=True))
    return dict(rows=about["rows"], cpu_seconds=round(time.process_time()-start, 1)) | report

def summary(runs):
    "Mean and spread of each model over the seeds"
    models = {o["model"]: [next(s["value"] for s in r["scores"] if s["model"] == o["model"]) for r in runs] for o in runs[0]["scores"]}
    return dict(metric=runs[0]["metric"], rows=runs[0]["rows"], seeds=len(runs), models={k: dict(mean=float(np.mean(v)), spread=float(np.std(v, ddof=1)) if len(v) > 1 else None, values=v) for k,v in models.items()})

def main(only=None):
    kept = read_json(FILE) if FILE.is_file() else dict(tasks={})
    for template in known_templates():
        for name,task in load_template(template).tasks.items():
            if only not in (None, name): continue
            now = kept["tasks"].get(name, {}) if only is None else {}
            for seed in range(SEEDS):
                if str(seed) in now.get("runs", {}): continue
                try: run = measure(template, name, task, seed)
                except (FileNotFoundError, ConnectionError) as e:
                    print(f"{name} is left out: {e}", file=sys.stderr)
                    break
                now = dict(template=template, backbone=task.backbone, runs=now.get("runs", {}) | {str(seed): run})
                now["summary"] = summary(list(now["runs"].values()))
                kept |= dict(command="python benchmarks/industry.py", made_with=versions(), tasks=kept["tasks"] | {name: now})
                write_json(FILE, kept)
    for name,o in kept["tasks"].items(): print(name, o["summary"]["metric"], {k: f"{v['mean']:.3f} ± {v['spread'] or 0:.3f}" for k,v in o["summary"]["models"].items()})

if __name__ == "__main__": main(*sys.argv[1:2])
