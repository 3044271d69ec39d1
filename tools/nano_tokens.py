"""Learn tokenizers like those that ship with the library, l1g1000/checkpoints/nano-tokens: of names, of pictures and of sounds; resumable.

    python tools/nano_tokens.py FOLDER

An hour on one core: speech is spoken first (ten minutes), pictures take 4,000 steps, sounds 6,000. A run that is killed goes on where it was. Names, styles
and voices that test (page 50) are kept away. FOLDER must be new: other weights give other ids, so a model that wrote the old ones must learn anew.
`benchmarks/tokens.py` judges the weights that ship.
"""
import argparse, sys
from pathlib import Path
import numpy as np, torch
from l1g1000.chain import versions
from l1g1000.core import fingerprint, progress, sha256_file, write_atomic, write_json
from l1g1000.data.clip import Clip, checkpoint
from l1g1000.data.learn import FitConfig
from l1g1000.data.moji import load_moji, split_pair, split_style
from l1g1000.data.speech import load_speech, trim
from l1g1000.nano.facts import DEV_STYLE, DEV_VOICE, HELD, SPOKEN, TEST_STYLE, TEST_VOICES, VOICES, who_says
from l1g1000.tokens.audio import RATE, learn_audio_tokenizer, to_mel
from l1g1000.tokens.image import Eye, learn_image_tokenizer
from l1g1000.tokens.mix import all_markers
from l1g1000.tokens.text import learn_tokenizer

ROOT = Path(__file__).absolute().parents[1]

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=Path, help="where the checkpoint goes: a folder that is not there yet")
    p.add_argument("--work", type=Path, default=ROOT/"out"/"nano-tokens", help="where a killed run finds its state")
    p.add_argument("--vocab", type=int, default=6144, help="pieces of names, markers included")
    p.add_argument("--image-steps", type=int, default=4000)
    p.add_argument("--audio-steps", type=int, default=6000)
    p.add_argument("--every", type=int, default=1, help="take one concept in so many, for a trial")
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()

def text(a, world):
    names = split_pair(world.names, HELD)[0]
    return learn_tokenizer(list(names["name"]), list(names["lang"]), a.vocab, all_markers(world.langs), alpha=1.)

def image(a, world):
    rest,_ = split_style(world.pictures, TEST_STYLE)
    train,_ = split_style(rest, DEV_STYLE)
    some = train["picture"][::a.every]
    return learn_image_tokenizer(some, Eye(Clip(checkpoint("moji-clip"))), FitConfig(a.image_steps, 32, 2e-3, seed=a.seed), a.work/f"image-{a.every}.resume")[0]

def frames(a, lang, concepts):
    "All that the voices which may be heard say in a language, end to end; kept in a file"
    parts = [(v, c[::a.every]) for v,c in who_says(lang, concepts) if v in VOICES]
    path = a.work/f"frames-{lang}-{fingerprint(parts)}.npy"
    if not path.is_file():
        waves = [w for v,c in parts for w in load_speech([lang], [v], c)["wave"]]
        with write_atomic(path) as f, open(f, "wb") as o: np.save(o, np.concatenate([to_mel(w, RATE) for w in waves if len(trim(w, RATE)) >= RATE//10]))
    return np.load(path)

def audio(a, world):
    heard = [frames(a, l, list(world.concepts["concept"])) for l in progress(SPOKEN, "listening", unit="language")]
    return learn_audio_tokenizer(np.concatenate(heard), FitConfig(a.audio_steps, 32, 2e-3, seed=a.seed), a.work/f"audio-{a.every}.resume")[0]

def main():
    a = options()
    if a.out.exists(): sys.exit(f"{a.out} is there already: name a folder that is not")
    a.work.mkdir(parents=True, exist_ok=True)
    world = load_moji()
    made = dict(text=text(a, world), image=image(a, world), audio=audio(a, world))
    with write_atomic(a.out) as folder:
        folder.mkdir()
        made["text"].save(folder/"text.json")
        for k in ("image", "audio"): made[k].save(folder/f"{k}.safetensors", torch.float16)
        files = {o.name: sha256_file(o) for o in sorted(folder.iterdir())}
        write_json(folder/"manifest.json", dict(command="python tools/nano_tokens.py FOLDER", made_with=versions(), seed=a.seed, image_steps=a.image_steps, audio_steps=a.audio_steps,
            vocab=a.vocab, every=a.every, test=[TEST_STYLE, *TEST_VOICES], dev=[DEV_STYLE, DEV_VOICE], held=HELD, spoken=list(SPOKEN), voices=list(VOICES), files=files))
    print(a.out, *(f"{o.name} {o.stat().st_size/1e6:.1f} MB" for o in sorted(a.out.iterdir())), sep="\n")

if __name__ == "__main__": main()
