"""Train the checkpoint that ships with the library, l1g1000/checkpoints/moji-clip: in two rounds, resumable.

    python tools/moji_clip.py [--out FOLDER] [--first FOLDER]

One style is kept for the test and never looked at here (--test), one to calibrate the score on (--dev); the rest is learnt. The first round
jitters the pictures, the second redraws them too and goes on from where the first ended: some 90 and 60 minutes on two cores. With --first
the first round is read from a folder where it was kept before (it stands in WORK/first). A run that is killed goes on where it was.
`benchmarks/moji_clip.py` judges the result.
"""
import argparse
from pathlib import Path
import torch
from l1g1000.chain import versions
from l1g1000.core import seed_everything, sha256_file, write_atomic, write_json
from l1g1000.data.align import calibrate
from l1g1000.data.augment import jitter, redraw
from l1g1000.data.clip import Clip, train_tokenizer
from l1g1000.data.learn import FitConfig, learn_names, learn_pictures, mean_vectors, remember
from l1g1000.data.moji import load_moji, split_style

ROOT = Path(__file__).absolute().parents[1]

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, default=ROOT/"l1g1000"/"checkpoints"/"moji-clip", help="where the checkpoint goes")
    p.add_argument("--work", type=Path, default=ROOT/"out"/"moji-clip", help="where a killed run finds its state")
    p.add_argument("--first", type=Path, help="a folder that holds the first round's towers already")
    p.add_argument("--test", default="fluent", help="the style that nothing here may see")
    p.add_argument("--dev", default="streamline", help="the style that the score is calibrated on")
    p.add_argument("--picture-steps", type=int, nargs=2, default=[40_000, 6_000], help="steps of the picture tower in each round")
    p.add_argument("--name-steps", type=int, nargs=2, default=[9_000, 5_000], help="steps of the text tower in each round")
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()

def widely(x, g): return jitter(x, g, 1.)

def anew(x, g): return redraw(widely(x, g), g)

def first_round(a, world, train):
    "Both towers from chance; kept as 16-bit numbers, which is what the second round starts from"
    if a.first: return Clip(a.first)
    where = a.work/"first"
    if not where.is_dir():
        clip = Clip.fresh(train_tokenizer(world.names["name"], 16_000), tower="moji_cnn_wide")
        learn_pictures(clip, train, FitConfig(a.picture_steps[0], 64, scale=30., seed=a.seed), a.work/"pictures.resume", widely)
        learn_names(clip, world.names, train, FitConfig(a.name_steps[0], 512, seed=a.seed), a.work/"names.resume")
        with write_atomic(where) as folder: clip.save(folder, torch.float16)
    return Clip(where)

def second_round(a, world, train, clip):
    "The pictures of a concept meet again, redrawn; then the names follow them to where they went"
    clip.model.visual.to(memory_format=torch.channels_last)
    _,start = mean_vectors(train["concept"], clip.encode_images(train["picture"]))
    learn_pictures(clip, train, FitConfig(a.picture_steps[1], 64, 2e-3, 30., a.seed+1), a.work/"pictures-2.resume", anew, start)
    learn_names(clip, world.names, train, FitConfig(a.name_steps[1], 512, 2e-3, seed=a.seed+1), a.work/"names-2.resume")
    remember(clip, train)
    return clip

def main():
    a = options()
    a.work.mkdir(parents=True, exist_ok=True)
    world = load_moji()
    rest,_ = split_style(world.pictures, a.test)
    train,dev = split_style(rest, a.dev)
    seed_everything(a.seed)
    clip = second_round(a, world, train, first_round(a, world, train))
    english = {o["concept"]: o["name"] for o in world.names.filter(lambda l: l == "en", input_columns=["lang"])}
    rule = calibrate(clip.encode_texts([english[c] for c in dev["concept"]]), clip.encode_images(dev["picture"]))
    with write_atomic(a.out) as folder:
        clip.save(folder, torch.float16)
        write_json(folder/"align.json", rule)
        files = {o.name: sha256_file(o) for o in sorted(folder.iterdir())}
        write_json(folder/"manifest.json", dict(command="python tools/moji_clip.py", made_with=versions(), test=a.test, dev=a.dev, seed=a.seed,
            picture_steps=a.picture_steps, name_steps=a.name_steps, langs=len(set(world.names["lang"])), files=files))
    print(a.out, *(f"{o.name} {o.stat().st_size/1e6:.1f} MB" for o in sorted(a.out.iterdir())), sep="\n")

if __name__ == "__main__": main()
