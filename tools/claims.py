"""Gather the figures of the ledger from benchmarks/ into l1g1000/ledger/claims.json.

    python tools/claims.py [--check]
"""
import argparse, statistics, sys
from pathlib import Path
from l1g1000.chain import versions
from l1g1000.claims import LEDGER, LIVE
from l1g1000.core import read_json, write_json
from l1g1000.data.clip import checkpoint

ROOT = Path(__file__).absolute().parents[1]

def load(name): return read_json(ROOT/"benchmarks"/f"{name}.json")
def score(o): return dict(value=o["share"], low=o["low"], high=o["high"], beside=o["beside"])

def multimodal():
    w = load("worldly")
    draw = w["draw"]["noto"]["top1"] | dict(beside=w["draw"]["noto"]["top1"]["beside"] | {"real pictures": w["draw"]["judge"]["noto"]["real"][0]})
    return w, {"English name of a picture of an unseen style": score(w["names"]["english"]), "drawing that the judge names rightly": score(draw),
        "spoken name from an unseen voice": score(w["listen"]), "speech that the judge understands": score(w["say"])}

def languages():
    w = load("worldly")
    each = w["names"]["languages"]["each"]
    return w, {"languages": dict(value=len(each)), "name of a picture, mean over languages": score(w["names"]["languages"]) | dict(value=w["names"]["languages"]["mean"])}

def sparse():
    m, nano = load("moe"), read_json(checkpoint("nano")/"manifest.json")
    ratio = {o["tokens"]: o["ratio"] for o in m["rows"] if o["layer"] == "8 experts"}
    return m, {"nano's share at work": dict(value=nano["active"]/nano["parameters"], beside={"dense": 1.})} | {f"time for {n:,} token{'s'*(n > 1)}, of the dense layer's": dict(value=ratio[n], beside={"dense": 1.}) for n in (1, 128, 2048)}

def latency():
    from l1g1000.model.config import ModelConfig
    from l1g1000.train.plan import GPUS, decode
    p, ms = load("plan"), decode(ModelConfig("10b"), GPUS["h100"])["ms"]
    return p, {"largest miss of the forecast here": dict(value=max(abs(o["off"]) for o in p["decode"]["rows"])), "milliseconds to the next token": dict(value=ms), "milliseconds for 100 tokens": dict(value=100*ms)}

def align():
    f, c = load("faults"), load("moji_clip")
    worst = next(o for o in f["worst"] if o["fault"] == "another thing's name")
    return (f, c), {"F1 on pairs with another thing's name": dict(value=worst["lowest_f1"], beside={"by lot": worst["by_lot"]}), "names found, times the nearest picture's": dict(value=c["top1"]/c["pixel_neighbour"], beside={"nearest picture": 1.})}

def workers():
    z = load("zero")
    return z, {"difference of two processes to one": dict(value=max(o["difference"] for o in z["rows"]))}

def dialogues():
    a = load("adapt")
    m = a["parts"]["mts5"]
    best = m["minilm+tfidf"]
    return a, {"accuracy": dict(value=best["mean"], low=best["low"], high=best["high"], beside={"majority": m["majority"], "word counts": m["tfidf"]["mean"]})}

def shots():
    a = load("adapt")
    tasks = a["parts"]["prompt"].values()
    won = lambda way: sum(o[way]["mean"] > max(o["zero"]["mean"], o["majority"]) for o in tasks)
    return a, {"tasks won": dict(value=won("prompt"), beside={"regression on embeddings": won("logistic"), "nearest example": won("neighbours")})}

def glue():
    g = load("glue")
    at = {(o["model"], o["task"], o["metric"]): o for o in g["scores"]}
    row = lambda task, metric: dict({k: at["minilm-frozen", task, metric][k] for k in ("value", "low", "high")}, beside={o: at[o, task, metric]["value"] for o in ("majority", "tfidf")})
    return g, {"RTE, accuracy": row("rte", "accuracy"), "STS-B, Spearman": row("stsb", "spearman"), "MRPC, F1": row("mrpc", "f1")}

def serve():
    b = load("batcher")
    ways = lambda kind: (b["served"][kind]["batches of 1"], b["served"][kind]["batches of 32"])
    def rate(kind):
        one, many = ways(kind)
        return dict(value=many["per_second"], low=many["spread"][0], high=many["spread"][1], beside={"one by one": one["per_second"]})
    rest = b["rest"]["batches of 32"]
    return b, {"pictures a second over REST": dict(value=rest["per_second"], low=rest["spread"][0], high=rest["spread"][1], beside={"one by one": b["rest"]["batches of 1"]["per_second"]}), "pictures a second": rate("pictures"), "small network, requests a second": rate("mlp"), "gain of batching for pictures, times": dict(value=ways("pictures")[1]["ratio"], beside={"one by one": 1.})}

def linear():
    l, s = load("linear_attention"), load("size")
    gigabytes = {o["kind"]: o["megabytes"]/1e3 for o in s["rows"]}
    return (l, s), {"growth of linear attention": dict(value=l["slopes"]["linear_1024_to_16384"], beside={"full attention": l["slopes"]["attention_1024_to_8192"]}), "gigabytes in fp32": dict(value=gigabytes["fp32"]), "gigabytes in INT8": dict(value=gigabytes["int8"])}

def arm():
    a = load("arm")
    cycles = {}
    for o in a["modelled"]: cycles[o["core"], o["rung"]] = min(o["cycles_per_product"], cycles.get((o["core"], o["rung"]), float("inf")))
    least = lambda rung: dict(value=min(cycles[c, rung]/cycles[c, "dot"] for c in a["cores"]))
    return a, {"times fewer cycles than scalar C": least("scalar"), "times fewer than the compiler's own vectors": least("auto")}

def shap():
    e = load("explain")
    both = next(o for o in e["stability"] if o["redrawn"] == "both")
    return e, {"largest error of the sum": dict(value=e["additivity"]), "agreement of the order": dict(value=both["lowest_rank_correlation"], beside={"by lot": 0.})}

def capacity():
    c = load("capacity")
    def over(rows):
        each = [r["gain"] for o in rows for r in o["runs"]]
        return dict(value=statistics.median(each), low=min(each), high=max(each), beside={"fixed fleet": 0.})
    made_up = lambda peak: over([min((o for o in c["days"] if o["kind"] == "made up"), key=lambda o: abs(o["peak_over_mean"]-peak))])
    return c, {"gain on recorded days": over([o for o in c["days"] if o["kind"] == "recorded"]), "gain on a day whose peak is twice its mean": made_up(2), "gain on a day whose peak is four times its mean": made_up(4)}

def privacy():
    p = load("privacy")
    def loss(part, epsilon):
        o = next(o for o in p[part]["summary"] if o["epsilon"] == epsilon)
        return dict(value=o["loss"], beside={"all is lost": next(o["mean"] for o in p[part]["summary"] if o["epsilon"] is None)-p[part]["baseline"]})
    worst = lambda model, epsilon: max(o["advantage"]["mean"] if isinstance(o["advantage"], dict) else o["advantage"] for o in p["attack"]["results"] if o["epsilon"] == epsilon and (model is None or o["model"] == model))
    return p, {"AUC lost by the credit model at ε = 3": loss("credit", 3), "accuracy lost by the text model at ε = 8": loss("text", 8),
        "advantage of the attacker at ε = 3": dict(value=worst(None, 3), beside={"learnt by heart": worst("by heart", None)})}

def federated():
    f = load("federated")
    def lost(kind):
        o = f["banks"]["summary"][kind]
        central = o["central"]["mean"]
        return dict(value=central-o["federated"]["mean"], beside={"each bank alone": central-o["alone"]["mean"]})
    return f, {"AUC lost, banks alike": lost("alike"), "AUC lost, banks by age of their customers": lost("unlike")}

FROM = {"multimodal": multimodal, "lang-100": languages, "sparse": sparse, "latency-10b": latency, "align": align, "dp-4x": workers, "med-500": dialogues, "few-10": shots, "glue": glue,
    "serve": serve, "linear": linear, "arm": arm, "shap": shap, "util-40": capacity, "dp-sgd": privacy, "federated": federated}

def gathered():
    "Figures of all benchmarks, in the shape of the file"
    out = {}
    for name,f in FROM.items():
        benches, figures = f()
        benches = benches if isinstance(benches, tuple) else (benches,)
        out[name] = dict(figures=figures, command="; ".join(o["command"] for o in benches), made_with="; ".join(dict.fromkeys(o.get("made_with") or o["versions"] for o in benches)))
    return out

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="change nothing; fail when the file is stale")
    p.add_argument("--live", action="store_true", help="also measure again what takes seconds")
    a, file = p.parse_args(), LEDGER/"claims.json"
    old, new = read_json(file) if file.is_file() else {}, gathered()
    if a.check: sys.exit(f"{file} is stale: run python tools/claims.py" if new != {k: v for k,v in old.items() if k in new} or set(old) != set(new)|set(LIVE) else 0)
    quick = {k: dict(figures=f(), command=f"l1g1000 claims {k}", made_with=versions()) if a.live or k not in old else old[k] for k,f in LIVE.items()}
    write_json(file, new | quick)

if __name__ == "__main__": main()
