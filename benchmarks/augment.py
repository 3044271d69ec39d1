"""What jitter is worth: naming pictures of an unseen artist, trained with and without it, at equal steps.

    python benchmarks/augment.py

A quarter of the concepts, three seeds, about ten minutes on two cores. The anchors that training learns serve as names, so that nothing but
the pictures differs. Writes augment.json here.
"""
from pathlib import Path
import numpy as np
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.data.clip import Clip, train_tokenizer
from l1g1000.data.learn import FitConfig, learn_pictures, naming, pixel_neighbour, mean_vectors
from l1g1000.data.moji import load_moji, split_style

HERE, STYLE, SEEDS, STRENGTHS = Path(__file__).parent, "twemoji", (0, 1, 2), (0., .4, .7, 1.)

def main():
    world = load_moji()
    few = set(world.concepts["concept"][::4])
    train,test = split_style(world.pictures.filter(lambda c: c in few, input_columns=["concept"]), STYLE)
    tok, rows = train_tokenizer(sorted(few), 500), []
    for seed,strength in progress([(s, k) for s in SEEDS for k in STRENGTHS], "runs", unit="run"):
        clip = Clip.fresh(tok)
        learn_pictures(clip, train, FitConfig(1200, 64, scale=30., seed=seed), strength=strength)
        score = naming(clip.encode_images(test["picture"]), test["concept"], *mean_vectors(train["concept"], clip.encode_images(train["picture"])))
        rows.append(dict(seed=seed, strength=strength, top1=score["top1"], top5=score["top5"]))
        print(rows[-1], flush=True)
    means = [dict(strength=k, top1=float(np.mean(t)), lowest=min(t), highest=max(t)) for k in STRENGTHS for t in [[o["top1"] for o in rows if o["strength"] == k]]]
    write_json(HERE/"augment.json", dict(command="python benchmarks/augment.py", made_with=versions(), held_out=STYLE, concepts=len(few),
        pixel_neighbour=pixel_neighbour(train, test), chance=1/len(few), means=means, rows=rows))

if __name__ == "__main__": main()
