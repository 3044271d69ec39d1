"""Planted faults of four kinds in pairs of texts and pictures, and how well cleaning and the aligner find each.

    python benchmarks/faults.py

Pictures of an artist that the checkpoint never saw, of concepts whose names the language rule never saw; each picture with its names in six
languages drawn by lot. 30 % carry another thing's name, 10 % are doubled, 5 % have a broken picture, 5 % speak another language than they
claim. Beside F1 stands that of the same answers in random order. Three seeds, about a minute each. Writes faults.json here.
"""
from pathlib import Path
import numpy as np
from sklearn.metrics import f1_score
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.data.align import MultimodalAligner
from l1g1000.data.clean import clean
from l1g1000.data.clip import checkpoint
from l1g1000.data.language import fit_identifier, load_udhr, wrong_language
from l1g1000.data.moji import load_moji, split_concept, split_style
from l1g1000.data.rules import bad_picture, charset, exact, length, repetition
from l1g1000.picture import encode_png

HERE, SEEDS, HELD, LANGS = Path(__file__).parent, (0, 1, 2), .3, 6
KINDS = ("another thing's name", "duplicate", "broken picture", "another language")

def rules(world, seed):
    "Rules for text, picture and language; the last never saw the names of the held-out families"
    first,_ = split_concept(world.names, HELD, seed)
    first,udhr = first[:],load_udhr(world.langs)[:]
    model = fit_identifier(first["name"]+udhr["text"], first["lang"]+udhr["lang"])
    return [length("text"), charset("text"), repetition("text"), bad_picture("picture"), wrong_language("text", "lang", model), exact("picture", "text", "lang")]

def distinct(names, rng):
    "A few languages, drawn by lot, that write a thing differently: else a pair of text and picture would come twice"
    langs = [str(o) for o in rng.permutation(sorted(names))]
    return list({names[l].casefold(): l for l in langs}.values())[:LANGS]

def planted(world, style, seed):
    "Rows with at most one fault each, and the fault"
    rng, said = np.random.default_rng(seed), {}
    for o in world.names: said.setdefault(o["concept"], {})[o["lang"]] = o["name"]
    _,new = split_concept(split_style(world.pictures, style)[1], HELD, seed)
    rows, fault = [], []
    shown = [(o, lang) for o in new for lang in distinct(said[o["concept"]], rng)]
    for o,lang in (shown[k] for k in rng.permutation(len(shown))):
        dice = rng.random()
        row, why = dict(text=said[o["concept"]][lang], lang=lang, picture=encode_png(o["picture"])), None
        if dice < .30:
            others = [c for c in new["concept"][:] if c != o["concept"] and lang in said[c] and said[c][lang] != row["text"]]
            row["text"], why = said[rng.choice(others)][lang], KINDS[0]
        elif dice < .35: row["picture"], why = row["picture"][:int(rng.integers(30, len(row["picture"])-20))], KINDS[2]
        elif dice < .40:
            foreign = [n for l,n in said[o["concept"]].items() if n.casefold() != row["text"].casefold()]
            row["text"], why = str(rng.choice(foreign)), KINDS[3]
        rows.append(row); fault.append(why)
        if why is None and rng.random() < .17: rows.append(dict(row)); fault.append(KINDS[1])
    return rows, fault

def judge(rows, checks, aligner):
    "What cleaning and then the aligner say of each row"
    _,report = clean(rows, checks)
    said = np.full(len(rows), None, object)
    for n,why in zip(report.dropped["row"], report.dropped["reason"].astype(str)): said[n] = next((k for k,w in zip(KINDS[1:], ("duplicate", "picture", "wrong language")) if why.startswith(w)), why)
    kept = np.flatnonzero(said == None) # noqa: E711, an array is compared
    pairs = aligner.process([rows[n]["text"] for n in kept], [rows[n]["picture"] for n in kept])
    said[kept[~pairs.kept]] = KINDS[0]
    return said

def main():
    world, style, aligner, out = load_moji(), read_json(checkpoint()/"manifest.json")["test"], MultimodalAligner("moji-clip"), []
    for seed in progress(SEEDS, "seeds", unit="seed"):
        rows,fault = planted(world, style, seed)
        said = judge(rows, rules(world, seed), aligner)
        lot, fault = np.random.default_rng(seed).permutation(said), np.array(fault, object)
        out += [dict(seed=seed, fault=k, rows=int((fault == k).sum()), of=len(rows), f1=f1_score(fault == k, said == k), by_lot=f1_score(fault == k, lot == k)) for k in KINDS]
    worst = [dict(fault=k, lowest_f1=min(o["f1"] for o in out if o["fault"] == k), by_lot=max(o["by_lot"] for o in out if o["fault"] == k)) for k in KINDS]
    write_json(HERE/"faults.json", dict(command="python benchmarks/faults.py", made_with=versions(), held_out=style, worst=worst, runs=out))
    print(*worst, sep="\n")

if __name__ == "__main__": main()
