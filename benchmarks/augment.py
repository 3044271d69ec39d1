"""What changing the pictures is worth: naming those of an unseen artist, trained without, with jitter, and redrawn too, at equal steps.

    python benchmarks/augment.py

A quarter of the concepts, three seeds, about ten minutes on two cores. The mean vectors of the training pictures serve as names, so that
nothing but the pictures differs. Writes augment.json here.
"""
from pathlib import Path
import numpy as np
from l1g1000.chain import versions
from l1g1000.core import progress, write_json
from l1g1000.data.augment import jitter, redraw
from l1g1000.data.clip import Clip, train_tokenizer
from l1g1000.data.learn import FitConfig, learn_pictures, mean_vectors, naming, pixel_neighbour
from l1g1000.data.moji import load_moji, split_style

HERE, STYLE, SEEDS, STEPS = Path(__file__).parent, "twemoji", (0, 1, 2), 400
CHANGES = {"nothing": lambda x,g: x, "jitter": jitter, "jitter and redraw": lambda x,g: redraw(jitter(x, g), g)}

def main():
    world = load_moji()
    few = set(world.concepts["concept"][::4])
    train,test = split_style(world.pictures.filter(lambda c: c in few, input_columns=["concept"]), STYLE)
    tok, rows = train_tokenizer(sorted(few), 500), []
    for seed,change in progress([(s, k) for s in SEEDS for k in CHANGES], "runs", unit="run"):
        clip = Clip.fresh(tok)
        learn_pictures(clip, train, FitConfig(STEPS, 64, scale=30., seed=seed), change=CHANGES[change])
        score = naming(clip.encode_images(test["picture"]), test["concept"], *mean_vectors(train["concept"], clip.encode_images(train["picture"])))
        rows.append(dict(seed=seed, change=change, top1=score["top1"], top5=score["top5"]))
        print(rows[-1], flush=True)
    means = [dict(change=k, top1=float(np.mean(t)), lowest=min(t), highest=max(t)) for k in CHANGES for t in [[o["top1"] for o in rows if o["change"] == k]]]
    write_json(HERE/"augment.json", dict(command="python benchmarks/augment.py", made_with=versions(), held_out=STYLE, concepts=len(few), steps=STEPS,
        pixel_neighbour=pixel_neighbour(train, test), chance=1/len(few), means=means, rows=rows))

if __name__ == "__main__": main()
