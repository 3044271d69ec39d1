"""Write the cards of data/: the moji world, its sources, and the checkpoints that ship. `--check` only says which are stale."""
import argparse, json, sys
from pathlib import Path
from l1g1000.core import read_json, write_atomic
from l1g1000.card import checkpoint_card, ear_card, manifest, moji_card, nano_card, tokens_card
from l1g1000.data.clip import checkpoint
from l1g1000.data.moji import load_moji

ROOT = Path(__file__).absolute().parents[1]

def cards():
    "File below data/ → its content"
    about, scores = (lambda k: read_json(checkpoint(k)/"manifest.json")), (lambda k: read_json(ROOT/"benchmarks"/f"{k}.json"))
    return {"moji.md": moji_card(load_moji()), "sources.json": json.dumps(manifest(), ensure_ascii=False, indent=1) + "\n",
        "moji-clip.md": checkpoint_card(about("moji-clip"), scores("moji_clip")), "nano-tokens.md": tokens_card(about("nano-tokens"), scores("tokens")),
        "moji-ear.md": ear_card(about("moji-ear")), "nano.md": nano_card(about("nano"), scores("worldly"))}

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--check", action="store_true", help="write nothing; exit 1 when a card is stale")
    check, stale = p.parse_args().check, []
    for name,text in cards().items():
        path = ROOT/"data"/name
        if path.is_file() and path.read_text(encoding="utf-8") == text: continue
        stale.append(name)
        if not check:
            with write_atomic(path) as f: f.write_text(text, encoding="utf-8")
    if stale: print(*(f"{'stale' if check else 'wrote'}: data/{o}" for o in stale), sep="\n")
    sys.exit(1 if check and stale else 0)

if __name__ == "__main__": main()
