"""What changing the names is worth: finding the thing for a name that was mistyped, or for a word that was not learnt, at equal steps.

    python benchmarks/augment_names.py

A quarter of the things, eight languages, three seeds. A fresh text tower learns to point where the shipped picture tower puts the things; it
sees each name twice: as it is both times, or once mistyped, or once by another word. One name in five of those that have another word is
kept away from renaming, and that word asks for it. All ways are asked the same: the names learnt, the same with slips that none of them saw, and the words
kept away. Beside them stand chance and answers in random order. Writes augment_names.json here.
"""
from pathlib import Path
import numpy as np
from datasets import Dataset
from l1g1000.chain import versions
from l1g1000.core import progress, seed_everything, write_json
from l1g1000.data.augment import other_names, rename, typo
from l1g1000.data.clip import Clip, checkpoint, train_tokenizer
from l1g1000.data.learn import FitConfig, learn_names, mean_vectors, naming
from l1g1000.data.moji import load_moji

HERE, SEEDS, STEPS, LANGS = Path(__file__).parent, (0, 1, 2), 500, ("en", "es", "de", "ru", "sw", "hi", "tr", "el")

def words(rows, seed):
    "The same names, in each of three ways; and questions: name and thing"
    rng = np.random.default_rng(seed)
    other = [(o, w) for o in rows if (w := other_names(o["lang"]).get(o["name"]))]
    kept = {id(o): str(rng.choice(w)) for o,w in (other[k] for k in rng.permutation(len(other))[:len(other)//5])}
    copies = dict(nothing=[o["name"] for o in rows], typo=[typo(o["name"], rng) for o in rows], rename=[o["name"] if id(o) in kept else rename(o["name"], rng, o["lang"]) for o in rows])
    known = {n.casefold() for way in copies.values() for n in way}
    slips = np.random.default_rng(seed+1000) # slips that no way has seen
    wrong = [(n, o["concept"]) for o in rows if (n := typo(o["name"], slips, .15)).casefold() not in known]
    new = [(w, o["concept"]) for o in rows if (w := kept.get(id(o))) and w.casefold() not in known]
    return copies, {"as learnt": [(o["name"], o["concept"]) for o in rows], "mistyped": wrong, "another word": new}

def tower(rows, copy, pictures, tok, seed, steps):
    "A text tower that learnt the names and a copy of each"
    seed_everything(seed)
    clip = Clip.fresh(tok)
    clip.model.visual = Clip(checkpoint()).model.visual # what the names should point at; it stays as it is
    both = dict(concept=2*[o["concept"] for o in rows], name=[o["name"] for o in rows]+copy)
    learn_names(clip, Dataset.from_dict(both), pictures, FitConfig(steps, 256, seed=seed))
    return clip

def main(steps=STEPS, seeds=SEEDS, every=4):
    world = load_moji()
    few = set(world.concepts["concept"][::every])
    pictures = world.pictures.filter(lambda c: c in few, input_columns=["concept"])
    rows = [o for o in world.names.filter(lambda c,l: c in few and l in LANGS, input_columns=["concept", "lang"]).to_list()]
    tok, out, where = train_tokenizer([o["name"] for o in rows], 2000), [], None
    for seed in progress(seeds, "seeds", unit="seed"):
        copies, asked = words(rows, seed)
        for way,copy in copies.items():
            clip = tower(rows, copy, pictures, tok, seed, steps)
            where = where or mean_vectors(pictures["concept"], clip.encode_images(pictures["picture"]))
            for what,pairs in asked.items():
                names, truth = map(list, zip(*pairs))
                v = clip.encode_texts(names)
                mixed = [str(o) for o in np.random.default_rng(seed).permutation(truth)]
                out.append(dict(seed=seed, change=way, asked=what, names=len(names), top1=naming(v, truth, *where)["top1"], shuffled=naming(v, mixed, *where)["top1"]))
            print(*out[-3:], sep="\n", flush=True)
    means = [dict(change=w, asked=a, top1=float(np.mean(t)), lowest=min(t), highest=max(t)) for w in copies for a in asked for t in [[o["top1"] for o in out if (o["change"], o["asked"]) == (w, a)]]]
    return dict(command="python benchmarks/augment_names.py", made_with=versions(), languages=len(LANGS), concepts=len(few), steps=steps, chance=1/len(few), means=means, rows=out)

if __name__ == "__main__": write_json(HERE/"augment_names.json", main())
