"""What the shipped checkpoint can do with pictures of an artist it never saw, in every language.

    python benchmarks/moji_clip.py

About a minute. Beside each figure stand the nearest neighbour in pixels, answers in random order, and chance. Writes moji_clip.json here.
"""
from pathlib import Path
import numpy as np
from sklearn.metrics import f1_score, roc_auc_score
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.data.align import MultimodalAligner
from l1g1000.data.clip import Clip, checkpoint
from l1g1000.data.learn import name_vectors, naming, pixel_neighbour
from l1g1000.data.moji import load_moji, split_style

HERE, SEEDS = Path(__file__).parent, (0, 1, 2)

def found(names, lang, pictures, images, clip):
    "Share of a language's names whose nearest picture shows the right concept, and the same with shuffled pictures"
    rows = names.filter(lambda l: l == lang, input_columns=["lang"])
    at = {c: i for i,c in enumerate(pictures["concept"])}
    rows = [o for o in rows.to_list() if o["concept"] in at]
    near = (clip.encode_texts([o["name"] for o in rows]) @ images.T).argmax(1).numpy()
    want = np.array([at[o["concept"]] for o in rows])
    return dict(lang=lang, names=len(rows), top1=float((near == want).mean()), shuffled=float((np.random.default_rng(0).permutation(near) == want).mean()))

def slipped(aligner, pictures, english, seed):
    "F1 for pairs of which three in ten have another's name, and of a rule that drops three in ten by lot"
    rng = np.random.default_rng(seed)
    texts = [english[c] for c in pictures["concept"]]
    wrong = np.flatnonzero(rng.random(len(texts)) < .3)
    right = list(texts)
    for k,o in zip(wrong, np.roll(wrong, 1)): texts[k] = right[o]
    bad, pairs = np.array([a != b for a,b in zip(texts, right)]), aligner.process(texts, list(pictures["picture"]))
    fine = ~np.isnan(pairs.score)
    return dict(seed=seed, f1=f1_score(bad, ~pairs.kept), f1_by_lot=f1_score(bad, rng.random(len(bad)) < .3), auc=roc_auc_score(~bad[fine], pairs.score[fine]))

def main():
    about, world, clip = read_json(checkpoint()/"manifest.json"), load_moji(), Clip(checkpoint())
    train,test = split_style(world.pictures, about["test"])
    images, truth = clip.encode_images(test["picture"]), test["concept"]
    concepts,vectors = name_vectors(clip, world.names)
    score = naming(images, truth, concepts, vectors)
    mixed = naming(images, [str(o) for o in np.random.default_rng(0).permutation(truth)], concepts, vectors)
    langs = [found(world.names, l, test, images, clip) for l in progress(world.langs, "languages", unit="language")]
    english = {o["concept"]: o["name"] for o in world.names.filter(lambda l: l == "en", input_columns=["lang"])}
    top = [o["top1"] for o in langs]
    out = dict(command="python benchmarks/moji_clip.py", made_with=versions(), held_out=about["test"], concepts=len(concepts), pictures=len(test),
        top1=score["top1"], top5=score["top5"], pixel_neighbour=pixel_neighbour(train, test), shuffled=mixed["top1"], chance=1/len(concepts),
        languages=len(langs), median_language=float(np.median(top)), worst_language=min(langs, key=lambda o: o["top1"]), by_language=langs,
        slipped=[slipped(MultimodalAligner("moji-clip"), test, english, s) for s in SEEDS])
    write_json(HERE/"moji_clip.json", out)
    print({k: v for k,v in out.items() if k != "by_language"})

if __name__ == "__main__": main()
