"""What comes back from the ids of pictures and of sounds that ship with the library, and how many pieces names take.

    python benchmarks/tokens.py

About a minute. Pictures: every style, beside JPEG and WebP of as many bytes of payload and a thumbnail of as many ids. Sounds: known and new voices of
eSpeak, a language that was not learnt and recorded people, beside k-means over the known voices, the mean spectrum and averaged frames. Writes tokens.json here.
"""
import math
from pathlib import Path
import numpy as np, torch
from sklearn.cluster import MiniBatchKMeans
from l1g1000.chain import versions
from l1g1000.core import progress, seed_everything, write_json
from l1g1000.data.clip import Clip, checkpoint
from l1g1000.data.moji import load_moji, split_pair
from l1g1000.data.speech import load_prompts, load_speech, trim
from l1g1000.nano.facts import DEV_STYLE, DEV_VOICE, HELD, TEST_STYLE, TEST_VOICES, VOICES
from l1g1000.picture import to_pixels
from l1g1000.tokens.audio import BANDS, RATE, AudioTokenizer, at_rate, mel_gap, to_logs, to_mel
from l1g1000.tokens.image import Eye, ImageTokenizer, psnr, squeezed, ssim, thumbnail
from l1g1000.tokens.text import TextTokenizer

HERE, FOLDER, EVERY = Path(__file__).parent, checkpoint("nano-tokens"), 24 # one picture in so many
LANGS, NEW_LANG, WORDS = ("en", "sw", "zh"), "fi", 40 # one word in so many

def judged(pictures, drawn, eye):
    "The three rulers, and the PSNR of which a tenth of the pictures stay below"
    x,y = (torch.from_numpy(to_pixels(o)) for o in (pictures, drawn))
    p = psnr(x, y)
    return dict(psnr=float(p.mean()), lowest_tenth=float(p.quantile(.1)), ssim=float(ssim(x, y).mean()), features=float(eye(x, y).mean()))

def pictures(world, net, eye):
    "A row for each style, and what JPEG needs for as good a picture of the unseen one"
    styles, budget = np.array(world.pictures["style"]), net.count*math.log2(net.vocab_size)/8
    rows, some = [], {s: world.pictures.select(np.flatnonzero(styles == s)[::EVERY])["picture"] for s in sorted(set(styles))}
    for s,o in progress(some.items(), "styles", unit="style"):
        ids = net.encode(o)
        fit = {k.lower(): [squeezed(p, budget, k) for p in o] for k in ("JPEG", "WEBP")}
        drawn = dict(ids=net.decode(ids)) | {k: [p for p,_ in v] for k,v in fit.items()} | dict(thumbnail=[thumbnail(p) for p in o])
        rows.append(dict(style=s, known=s not in (TEST_STYLE, DEV_STYLE), count=len(o), used=len(ids.unique()), ways={k: judged(o, v, eye) for k,v in drawn.items()},
            bytes={k: float(np.mean([n for _,n in v])) for k,v in fit.items()}))
    larger = [dict(bytes=budget*k, **judged(some[TEST_STYLE], [squeezed(p, budget*k)[0] for p in some[TEST_STYLE]], eye)) for k in (1, 2, 3, 4, 5)]
    return rows, larger

def mels(waves): return [to_mel(w, RATE) for w in waves if len(trim(w, RATE)) >= RATE//10]

def filled(mel, n=AudioTokenizer.stride): return np.concatenate([mel, np.zeros((-len(mel)%n, BANDS), np.uint8)]).reshape(-1, n*BANDS)

def sounds(net):
    "A row for each voice"
    words = load_moji(["noto"]).concepts["concept"][::WORDS]
    known = load_speech(list(LANGS), list(VOICES), words)
    heard = mels(known["wave"])
    flat = np.concatenate([filled(m) for m in heard]).astype(np.float32)
    clusters, mean = MiniBatchKMeans(net.vocab_size, n_init=1, random_state=0, batch_size=4096, max_iter=20).fit(flat), np.concatenate(heard).mean(0)
    ways = dict(ids=lambda m: net.decode_mel(net.encode_mel(m)), clusters=lambda m: to_logs(clusters.cluster_centers_[clusters.predict(filled(m).astype(np.float32))].reshape(-1, BANDS)),
        mean=lambda m: to_logs(np.tile(mean, (len(m), 1))), averaged=lambda m: to_logs(np.repeat(filled(m).reshape(-1, net.stride, BANDS).mean(1), net.stride, 0)))
    def row(who, langs, waves):
        some = mels(waves)
        gaps = {k: [(f(m)[:len(m)], to_logs(m)) for m in some] for k,f in ways.items()}
        score = lambda pairs: dict(rms=mel_gap(*map(np.concatenate, zip(*pairs))), worst_tenth=float(np.quantile([mel_gap(*o) for o in pairs], .9)))
        return dict(who=who, langs=langs, utterances=len(some), seconds=sum(map(len, some))/100, used=len(np.unique(np.concatenate([net.encode_mel(m) for m in some]))), ways={k: score(v) for k,v in gaps.items()})
    rows = [row(f"{len(VOICES)} voices learnt from", " ".join(LANGS), known["wave"])]
    for v in (*TEST_VOICES, DEV_VOICE): rows += [row(v, " ".join(l), load_speech(list(l), [v], words)["wave"]) for l in (LANGS, (NEW_LANG,))]
    prompts = load_prompts()
    return rows + [row("a human being, telephone", "en", [at_rate(o["wave"], o["rate"]) for o in prompts.select(range(0, len(prompts), 8))])]

def names(world, tok):
    "Pieces of names that were kept away, and bytes beside them"
    held = split_pair(world.names, HELD)[1]
    n = np.array([len(o) for o in tok.encode_batch(list(held["name"]))])
    return dict(vocab=tok.vocab_size, count=len(n), pieces=float(n.mean()), most=int(n.max()), bytes=float(np.mean([len(o.encode()) for o in held["name"]])))

def main():
    seed_everything(0)
    world, image, audio = load_moji(), ImageTokenizer.load(FOLDER/"image.safetensors"), AudioTokenizer.load(FOLDER/"audio.safetensors")
    rows,larger = pictures(world, image, Eye(Clip(checkpoint())))
    size = lambda net: sum(p.numel() for p in net.parameters())
    out = dict(command="python benchmarks/tokens.py", made_with=versions(), test_style=TEST_STYLE, dev_style=DEV_STYLE, ids=image.count, id_bytes=image.count*math.log2(image.vocab_size)/8,
        ids_a_second=100/audio.stride, parameters=dict(image=size(image), audio=size(audio)), bytes={f.name: f.stat().st_size for f in sorted(FOLDER.iterdir())},
        pictures=rows, jpeg=larger, sounds=sounds(audio), names=names(world, TextTokenizer.load(FOLDER/"text.json")))
    write_json(HERE/"tokens.json", out)
    for o in rows: print(o["style"], {k: f"{v['psnr']:.1f} dB" for k,v in o["ways"].items()}, o["used"])
    for o in out["sounds"]: print(o["who"], o["langs"], {k: f"{v['rms']:.1f} dB" for k,v in o["ways"].items()})

if __name__ == "__main__": main()
