"""Let nano's ear learn from the voices that may be heard, and put it into the library.

    python tools/ear.py

Some ten minutes, nearly all of it for speaking the names. What it makes of voices that it never heard stands in the manifest. The facts of nano hold
what the ear makes of each utterance, so nano itself must be trained anew after it.
"""
import argparse
from pathlib import Path
import numpy as np, torch
from l1g1000.core import sha256_file, write_atomic, write_json
from l1g1000.data.clip import checkpoint
from l1g1000.data.moji import load_moji, split_pair
from l1g1000.nano.facts import DEV_VOICE, HELD, SPOKEN, TEST_VOICES, utterances
from l1g1000.tokens.ear import Ear, learn_ear
from l1g1000.tokens.senses import frames, memory

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, default=checkpoint("moji-clip").with_name("moji-ear"))
    return p.parse_args()

def listened():
    "Every utterance whose name may be known: its frames, and its concept, language and voice"
    world = load_moji()
    order, held = sorted(set(world.pictures["concept"][:])), split_pair(world.names, HELD)[1]
    at, held = {c: i for i,c in enumerate(order)}, set(zip(held["concept"][:], held["lang"][:]))
    heard, rows = zip(*((frames(mel), (at[c], SPOKEN.index(l), v)) for c,l,v,mel in utterances(list(world.concepts["concept"])) if (c, l) not in held))
    return list(heard), *map(np.array, zip(*rows))

def hits(ear:Ear, heard, concept):
    "Does the arrow stand nearest to what was said?"
    return (torch.from_numpy(ear.grasp(heard)) @ memory().T).argmax(1).numpy() == concept

def main():
    a = options()
    heard, concept, lang, voice = listened()
    train = np.flatnonzero(~np.isin(voice, (*TEST_VOICES, DEV_VOICE)))
    words,word = np.unique(concept[train]*len(SPOKEN) + lang[train], return_inverse=True)
    ear, scores = learn_ear([heard[i] for i in train], word, words//len(SPOKEN)), {}
    for v in (DEV_VOICE, *TEST_VOICES):
        mine = np.flatnonzero(voice == v)
        right = hits(ear, [heard[i] for i in mine], concept[mine])
        scores[v] = dict(count=len(mine), right=float(right.mean()), each={l: float(right[lang[mine] == i].mean()) for i,l in enumerate(SPOKEN)})
    with write_atomic(a.out) as aside:
        aside.mkdir()
        file = ear.save(aside/"ear.safetensors")
        write_json(aside/"manifest.json", dict(command="python tools/ear.py", sounds=len(train), words=len(words), voices=scores, chance=1/len(memory()), files={file.name: sha256_file(file)}))
    print({v: round(o["right"], 3) for v,o in scores.items()})

if __name__ == "__main__": main()
