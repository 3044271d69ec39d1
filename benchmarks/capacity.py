"""What autoscaling saves at the same promise, on recorded days and on days made up: benchmarks/capacity.json.

    python benchmarks/capacity.py

Some six minutes on one core. Service times are those that benchmarks/batcher.json measured.
"""
import statistics
from pathlib import Path
import numpy as np
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.data.samples import load_sample
from l1g1000.serve.capacity import arrivals, cheapest

OUT = Path(__file__).with_suffix(".json")
SEEDS, PEAK, TOKENS, SLOTS = (0, 1, 2), 40., 60, 8

def days():
    "Kind and five-minute counts of each day"
    calls = load_sample("calls")
    each = [g["Calls"].astype(float).to_numpy() for _,g in calls.groupby(calls["DateTime"].str[:10])]
    yield from (("recorded", o) for o in each[2::40])
    wave = np.sin(np.linspace(-np.pi/2, 3*np.pi/2, 24*12))
    for power in (0, 1, 2, 4, 8): yield "made up", ((1.02+wave)/2)**power if power else np.ones(24*12)

def gains(day, mean):
    "Utilisation of both fleets for each seed"
    for seed in SEEDS:
        times = arrivals(day/day.max()*PEAK, 300, seed)
        fixed, follows = cheapest(times, np.random.default_rng(seed).exponential(mean, len(times)), SLOTS)
        yield dict(fixed=fixed.used, follows=follows.used, late=[fixed.late(), follows.late()], gain=follows.used/fixed.used-1)

def main():
    mean = TOKENS/(read_json(OUT.with_name("batcher.json"))["writing"]["8, join and leave"]["per_second"]/SLOTS)
    rows = []
    for kind,day in progress(list(days()), "days", unit="day"):
        runs = list(gains(day, mean))
        each = [o["gain"] for o in runs]
        rows.append(dict(kind=kind, peak_over_mean=float(day.max()/day.mean()), gain=statistics.median(each), low=min(each), high=max(each), runs=runs))
    write_json(OUT, dict(command="python benchmarks/capacity.py", made_with=versions(), seeds=SEEDS, peak=PEAK, seconds_in_slot=mean, slots=SLOTS, promise="at most 1 % wait longer than 1 s", days=rows))

if __name__ == "__main__": main()
