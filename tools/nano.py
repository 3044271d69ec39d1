"""Put a trained nano into the library, where l1g1000.load("nano") finds it: weights, shape, and a manifest.

    l1g1000 train nano --out out/nano
    python tools/nano.py [out/nano/model]

Its tokenizers must be those that ship as nano-tokens: they are named, with their checksums, and not kept twice.
"""
import argparse, shutil, sys
from pathlib import Path
from l1g1000.core import read_json, sha256_file, write_atomic, write_json
from l1g1000.data.clip import checkpoint
from l1g1000.nano.model import Nano
from l1g1000.nano.train import TOKEN_FILES

ROOT = Path(__file__).absolute().parents[1]

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path, nargs="?", default=ROOT/"out"/"nano"/"model", help="the folder that the training made")
    p.add_argument("--out", type=Path, default=ROOT/"l1g1000"/"checkpoints"/"nano")
    return p.parse_args()

def main():
    a = options()
    nano, about, shipped = Nano.load(a.model), read_json(a.model/"manifest.json"), checkpoint("nano-tokens")
    if other := [f for f in TOKEN_FILES if sha256_file(a.model/f) != sha256_file(shipped/f)]:
        sys.exit(f"{a.model/other[0]} is not that of nano-tokens: a nano with tokenizers of its own can be used from its folder, and does not ship")
    with write_atomic(a.out) as aside:
        aside.mkdir()
        for f in ("config.json", "model.safetensors"): shutil.copyfile(a.model/f, aside/f)
        write_json(aside/"manifest.json", about | dict(files={o.name: sha256_file(o) for o in sorted(aside.iterdir())}, tokens=dict(of="nano-tokens", files={f: sha256_file(shipped/f) for f in TOKEN_FILES})))
    print(a.out, f"{nano.config.params().total/1e6:.1f} M parameters, {sum(o.stat().st_size for o in a.out.iterdir())/1e6:.1f} MB", sep="\n")

if __name__ == "__main__": main()
