"""What nano can do where it never learnt: benchmarks/worldly.json.

    python benchmarks/worldly.py [--model FOLDER] [--only names listen draw say translate experts time]

About half an hour on one core. The judges learn from real pictures and sounds alone; they took an hour to learn and stand in judges/: without that
folder they learn anew. A part that is done stands in the file and is measured again only with --only, or when the model changed.
"""
import argparse, statistics, time
from base64 import b64encode
from pathlib import Path
import numpy as np, torch
from l1g1000.chain import versions
from l1g1000.core import home, progress, read_json, seed_everything, sha256_file, write_json
from l1g1000.data.clip import Clip, checkpoint
from l1g1000.data.learn import naming, pixel_neighbour
from l1g1000.data.moji import load_moji, split_style
from l1g1000.data.speech import load_speech
from l1g1000.evaluate.judge import PictureJudge, SpeechJudge, learn_picture_judge, learn_speech_judge, phonemes
from l1g1000.evaluate.worldly import Score, ask_names, by_language, experts, judged_pictures, judged_speech, same_name, watched
from l1g1000.model.transformer import FRAME, PATCH
from l1g1000.nano.documents import WEIGHTS, Directions, Mixture, Senses
from l1g1000.nano.facts import DEV_STYLE, DEV_VOICE, DRAWN, SPEAKER, SPOKEN, TEST_STYLE, TEST_VOICES, gather
from l1g1000.nano.model import Nano, Prompt
from l1g1000.picture import encode_png
from l1g1000.tokens.audio import RATE, to_mel
from l1g1000.tokens.senses import memory, read
from l1g1000.train.batches import take

OUT, JUDGES = Path(__file__).with_suffix(".json"), Path(__file__).with_name("judges")
SEEDS = (0, 1, 2)

def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", type=Path, default=checkpoint("nano"), help="the folder of a trained nano; left out: the one that ships")
    p.add_argument("--out", type=Path, default=OUT)
    p.add_argument("--only", nargs="*", choices=list(PARTS), help="parts to measure again")
    p.add_argument("--some", type=int, default=1, help="take every so manieth example: a quick look")
    return p.parse_args()

class Bench:
    "The model, the world, and what is held away"
    def __init__(self, a):
        self.some, self.nano, self.world = a.some, Nano.load(a.model), load_moji()
        t = self.nano.tokens
        self.facts = gather(t.text, t.image, t.audio)
        self.lists, self.order = self.facts.lists, sorted(self.facts.lists["concept"])
        train, self.test = split_style(self.world.pictures, TEST_STYLE)
        self.train = train.filter(lambda s: s != DEV_STYLE, input_columns=["style"])
        self.name = {(o["concept"], o["lang"]): o["name"] for o in self.world.names.to_list()}
        self.away = {(self.lists["concept"][c], self.lists["lang"][l]) for c,l,held in self.facts.name if held}

    def looks(self, style):
        "Concepts, and a prompt for each picture of a style"
        rows = np.flatnonzero(self.facts.look[:, 1] == self.lists["style"].index(style))
        return [self.lists["concept"][c] for c in self.facts.look[rows, 0]], [Prompt([PATCH], patches=self.facts.looks[r:r+1].astype(np.float32)) for r in rows]

    def sounds(self, voices):
        "Rows of utterances, and a prompt for each"
        rows = np.flatnonzero(np.isin(self.facts.utterance[:, 2], [self.lists["voice"].index(v) for v in voices]))[::self.some]
        return rows, [Prompt([PATCH] + [FRAME]*len(x), self.facts.grasped[r:r+1].astype(np.float32), x) for r,x in ((r, self.facts.heard[r]) for r in rows)]

    def pointed(self, arrows, concepts):
        "How often an arrow stands nearest to its concept, of all: what nano can at best know of what it was given"
        first = (torch.from_numpy(arrows.astype(np.float32)) @ memory().T).argmax(1).tolist()
        return float(np.mean([self.order[i] == c for i,c in zip(first, concepts)]))

    def pairs(self, rows): return [(self.lists["concept"][c], self.lists["lang"][l]) for c,l,_ in self.facts.utterance[rows]]

# names ------------------------------------------------------------------------------------------------------------------------------

def names(b):
    concepts, prompts = b.looks(TEST_STYLE)
    asked = [(i, l) for i in range(0, len(concepts), b.some) for l in b.lists["lang"] if (concepts[i], l) in b.name]
    answers = ask_names(b.nano.write, [prompts[i] for i,_ in asked], [l for _,l in asked])
    truth = [(concepts[i], l) for i,l in asked]
    hits = np.array([same_name(a, b.name[t]) for a,t in zip(answers, truth)])
    known = np.array([t not in b.away for t in truth])
    langs, at = np.array([l for _,l in truth]), np.array([c for c,_ in truth])
    en = langs == "en"
    near = pixel_neighbour(b.train, b.test)
    beside = dict(nearest_pixels=near, chance=1/len(b.lists["concept"]), shuffled=float(np.mean([same_name(a, b.name[c, "en"]) for a,c in zip(np.array(answers)[en], np.roll(at[en], 7))])), eye=eye(b))
    each = by_language(hits[known], langs[known])
    return dict(english=Score(hits[en], at[en], beside).summary(), languages=Score(hits[known], at[known], beside).summary() | dict(mean=float(np.mean(list(each.values()))), each=each),
        away=Score(hits[~known], at[~known], beside).summary(),
        shown=[dict(concept=c, lang=l, answer=a, name=b.name[c, l]) for a,(c,l) in list(zip(answers, truth))[::max(1, len(truth)//200)]])

def eye(b):
    "The first answer of moji-clip's picture tower with the means of its concepts, which nano's eye is"
    clip = Clip(checkpoint("moji-clip"))
    return naming(clip.encode_images(b.test["picture"]), list(b.test["concept"]), sorted(set(b.train["concept"])), clip.memory[0])["top1"]

# listen -----------------------------------------------------------------------------------------------------------------------------

def listen(b):
    rows, prompts = b.sounds(TEST_VOICES)
    truth = b.pairs(rows)
    answers = ask_names(b.nano.write, prompts, [l for _,l in truth], 128, "listening")
    hits, langs, at = np.array([same_name(a, b.name[t]) for a,t in zip(answers, truth)]), np.array([l for _,l in truth]), np.array([c for c,_ in truth])
    known = np.array([t not in b.away for t in truth])
    each = by_language(hits[known], langs[known])
    return Score(hits[known], at[known], dict(chance=1/len(b.lists["concept"]), nearest_sound=nearest_sound(b, rows[known]), ear=b.pointed(b.facts.grasped[rows[known]], at[known]))).summary() | dict(mean=float(np.mean(list(each.values()))), each=each,
        voices={v: float(hits[known & (b.facts.utterance[rows, 2] == b.lists["voice"].index(v))].mean()) for v in TEST_VOICES}, away=Score(hits[~known], at[~known], {}).summary(),
        shown=[dict(lang=l, answer=a, name=b.name[c, l]) for a,(c,l) in list(zip(answers, truth))[::max(1, len(truth)//100)]])

def nearest_sound(b, rows):
    "The baseline: the name of the training utterance in the same language that is nearest when all are stretched to the same length"
    def stretched(r):
        x = torch.from_numpy(b.facts.heard[r]).float().view(1, -1, 64).transpose(1, 2)
        return torch.nn.functional.interpolate(x, 24, mode="linear").flatten()
    u, hit = b.facts.utterance, []
    away = [b.lists["voice"].index(v) for v in (*TEST_VOICES, DEV_VOICE)]
    for l in np.unique(u[rows, 1]):
        known = np.flatnonzero((u[:, 1] == l) & ~np.isin(u[:, 2], away))
        mine = rows[u[rows, 1] == l]
        near = torch.cdist(torch.stack([stretched(r) for r in mine]), torch.stack([stretched(r) for r in known])).argmin(1)
        hit += (u[known[near.numpy()], 0] == u[mine, 0]).tolist()
    return float(np.mean(hit))

# draw -------------------------------------------------------------------------------------------------------------------------------

def png(picture): return b64encode(encode_png(picture.quantize(32))).decode()

def picture_judge(b):
    if not (JUDGES/"pictures").is_dir(): learn_picture_judge(b.train, resume=home("judges", "pictures.resume")).save(JUDGES/"pictures")
    return PictureJudge.load(JUDGES/"pictures")

def draw(b):
    judge, out = picture_judge(b), {}
    real = {s: b.world.pictures.filter(lambda o: o == s, input_columns=["style"]) for s in (*DRAWN, TEST_STYLE)}
    def share(pictures, concepts): return [float(o.mean()) for o in judged_pictures(judge.order, pictures, concepts)]
    codec = b.nano.tokens.image
    out["judge"] = {s: dict(real=share(o["picture"], o["concept"]), through_ids=share(codec.decode(codec.encode(o["picture"])), o["concept"])) for s,o in real.items()}
    held = {(b.lists["style"][s], b.lists["concept"][c]) for c,s,away in b.facts.drawing if away}
    concepts = [c for c in b.lists["concept"] if (c, "en") in b.name][::b.some]
    for s in DRAWN:
        one, five, first = [], [], []
        for seed in SEEDS:
            pictures = []
            for i in progress(range(0, len(concepts), 128), f"drawing {s}", unit="batch"):
                pictures += b.nano.paint([b.name[c, "en"] for c in concepts[i:i+128]], [s]*len(concepts[i:i+128]), seed=seed)
            a,z = judged_pictures(judge.order, pictures, concepts)
            one.append(a); five.append(z); first = first or pictures
        away = np.array([(s, c) in held for c in concepts])
        shuffled = float(judged_pictures(judge.order, pictures, list(np.roll(concepts, 7)))[0].mean())
        beside = dict(chance=1/len(judge.concepts), shuffled=shuffled, names_read_rightly=b.pointed(read([b.name[c, "en"] for c in concepts]), concepts))
        rng = np.random.default_rng(0)
        shown = {k: sorted(rng.permutation(np.flatnonzero(o))[:8].tolist()) for k,o in (("recognised", one[0]), ("missed", ~one[0]))}
        out[s] = dict(shown={k: [dict(concept=concepts[i], name=b.name[concepts[i], "en"], png=png(first[i])) for i in o] for k,o in shown.items()}, top1=Score(np.concatenate([o[~away] for o in one]), np.tile(np.array(concepts)[~away], len(SEEDS)), beside).summary(),
            top5=Score(np.concatenate([o[~away] for o in five]), np.tile(np.array(concepts)[~away], len(SEEDS)), {}).summary(), seeds=[float(o[~away].mean()) for o in one],
            away=Score(np.concatenate([o[away] for o in one]), np.tile(np.array(concepts)[away], len(SEEDS)), beside).summary())
    return out

# say --------------------------------------------------------------------------------------------------------------------------------

def pronunciations(b):
    "(concept, language) → phonemes"
    out = {}
    for l in SPOKEN:
        spoken = load_speech([l], [SPEAKER], concepts=b.lists["concept"])
        out |= {(c, l): phonemes(i) for c,i in zip(spoken["concept"], spoken["ipa"])}
    return {k: v for k,v in out.items() if v}

def mels_of(b, rows):
    "Sounds of utterances, as bytes"
    u, out = b.facts.utterance, {}
    for l,v in sorted({(int(l), int(v)) for _,l,v in u[rows]}):
        mine = rows[(u[rows, 1] == l) & (u[rows, 2] == v)]
        spoken = load_speech([b.lists["lang"][l]], [b.lists["voice"][v]], concepts=[b.lists["concept"][c] for c in u[mine, 0]])
        at = dict(zip(spoken["concept"], spoken["wave"]))
        out |= {int(r): to_mel(at[b.lists["concept"][u[r, 0]]], RATE) for r in mine}
    return [out[int(r)] for r in rows]

def speech_judge(b, ipa):
    if not (file := JUDGES/"speech.safetensors").is_file(): _learn_speech(b, ipa).save(file)
    return SpeechJudge.load(file)

def _learn_speech(b, ipa):
    u = b.facts.utterance
    away = [b.lists["voice"].index(v) for v in (*TEST_VOICES, DEV_VOICE)]
    rows = np.flatnonzero(~np.isin(u[:, 2], away) & np.array([k in ipa for k in b.pairs(np.arange(len(u)))]))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:16_000])
    mels = [b.facts.heard[r].reshape(-1, 64) for r in rows] # what the ear keeps: without mean loudness, which the judge takes away too
    return learn_speech_judge(mels, [ipa[k] for k in b.pairs(rows)], resume=home("judges", "speech.resume"))

def say(b):
    ipa, u = pronunciations(b), b.facts.utterance
    judge, lexicon = speech_judge(b, ipa), {}
    for (c,l),p in ipa.items(): lexicon.setdefault(l, []).append(p)
    codec, each, judged, hits, groups = b.nano.tokens.audio, {}, {}, [], []
    for l in SPOKEN:
        keys = [k for k in ipa if k[1] == l and k in b.name and k not in b.away][::8*b.some]
        right = [ipa[k] for k in keys]
        ids = b.nano.speak([b.nano.prompt(b.name[k], l) for k in keys], [l]*len(keys))
        mels = [to_mel(codec.decode(o), RATE) if len(o) > 2 else np.zeros((9, 64), np.uint8) for o in progress(ids, f"saying {l}", unit="name")]
        h = judged_speech(judge.recognise, mels, right, lexicon[l])
        rows = np.array([r for r in np.flatnonzero((u[:, 2] == b.lists["voice"].index(SPEAKER)) & (u[:, 1] == b.lists["lang"].index(l))) if b.pairs([r])[0] in set(keys)])
        test = np.array([r for r in np.flatnonzero(np.isin(u[:, 2], [b.lists["voice"].index(v) for v in TEST_VOICES]) & (u[:, 1] == b.lists["lang"].index(l))) if b.pairs([r])[0] in ipa])[::2*b.some]
        def through(r): return to_mel(codec.decode(b.facts.said[r]), RATE)
        judged[l] = dict(real=float(judged_speech(judge.recognise, mels_of(b, rows), [ipa[k] for k in b.pairs(rows)], lexicon[l]).mean()),
            unseen_voices=float(judged_speech(judge.recognise, mels_of(b, test), [ipa[k] for k in b.pairs(test)], lexicon[l]).mean()),
            through_ids=float(judged_speech(judge.recognise, [through(r) for r in rows], [ipa[k] for k in b.pairs(rows)], lexicon[l]).mean()))
        each[l], shuffled = float(h.mean()), float(judged_speech(judge.recognise, mels, right[7:]+right[:7], lexicon[l]).mean())
        hits += h.tolist(); groups += [k[0] for k in keys]
    return Score(np.array(hits), np.array(groups), dict(chance=1/len(lexicon["en"]), shuffled=shuffled)).summary() | dict(each=each, judge=judged)

# translate --------------------------------------------------------------------------------------------------------------------------

def translate(b):
    "Names that were kept away, from a name of the same thing that was learnt"
    rng, known = np.random.default_rng(0), {}
    for k in b.name:
        if k not in b.away: known.setdefault(k[0], []).append(k[1])
    asked = [(c, l) for c,l in sorted(b.away) if c in known and (c, l) in b.name][::b.some]
    source = ["en" if (c, "en") not in b.away and (c, "en") in b.name else str(rng.choice(known[c])) for c,_ in asked]
    answers = ask_names(b.nano.write, [b.nano.prompt(b.name[c, s], s) for (c,_),s in zip(asked, source)], [l for _,l in asked], 512, "translating")
    hits = np.array([same_name(a, b.name[k]) for a,k in zip(answers, asked)])
    twin = twins(b)
    copied = np.mean([same_name(b.name[c, s], b.name[c, l]) for (c,l),s in zip(asked, source)])
    sibling = np.mean([same_name(b.name.get((c, twin[l]), ""), b.name[c, l]) for c,l in asked])
    return Score(hits, np.array([c for c,_ in asked]), dict(copied=float(copied), nearest_language=float(sibling))).summary()

def twins(b):
    "For each language the other one that most often has the same name, among names that were learnt"
    langs = b.lists["lang"]
    names = {l: {c: n.casefold() for (c,k),n in b.name.items() if k == l and (c, k) not in b.away} for l in langs}
    return {l: max((o for o in langs if o != l), key=lambda o: sum(names[o].get(c) == n for c,n in names[l].items())) for l in langs}

# experts ----------------------------------------------------------------------------------------------------------------------------

def use(b):
    "Which experts work, by direction and layer; and the loss without them"
    dev, senses, out = Directions(b.facts, b.nano.vocab, dev=True), Senses(b.facts, b.nano.vocab), {}
    model, E = b.nano.model, b.nano.config.num_experts
    some = {f"{s} to {t}": take(Mixture(dev, 8, 256, 3, {(s, t): 1.}), range(8)) for s,t in WEIGHTS}
    @torch.no_grad()
    def loss(batch): return (lambda s, n: float(s)/float(n))(*senses(model, batch))
    def counted(seen, batch):
        "Tokens of each expert, for each layer; what fills up a row does not count"
        real = batch["documents"][:, :-1].flatten() >= 0
        return [torch.bincount(torch.cat(o)[real].flatten(), minlength=E).float() for o in seen.values()]
    for k,batch in some.items():
        with watched(model) as seen: plain = loss(batch)
        out[k] = dict(loss=plain, shares=[(o/o.sum()).tolist() for o in counted(seen, batch)])
        for how in ("off", "forced"):
            with experts(model, how): out[k][how] = loss(batch)
    mix = take(Mixture(dev, 16, 256, 4), range(16))
    with watched(model) as seen: loss(mix)
    load = counted(seen, mix)
    return dict(directions=out, busiest_over_mean=[float(o.max()/o.mean()) for o in load], idle=[int((o == 0).sum()) for o in load])

# time -------------------------------------------------------------------------------------------------------------------------------

def clock(b):
    "Medians of single answers"
    def median(f, n=15):
        f()
        took = []
        for _ in range(n):
            t = time.perf_counter(); f(); took.append(time.perf_counter()-t)
        return statistics.median(took)
    picture = b.test["picture"][0]
    return dict(caption_s=median(lambda: b.nano.caption(picture)), draw_s=median(lambda: b.nano.draw("red heart"), 5), say_s=median(lambda: b.nano.say("red heart"), 5), threads=torch.get_num_threads())

PARTS = dict(names=names, listen=listen, draw=draw, say=say, translate=translate, experts=use, time=clock)

def main():
    a = options()
    seed_everything(0)
    b = Bench(a)
    model = sha256_file(a.model/"model.safetensors")
    done = read_json(a.out) if a.out.is_file() else {}
    if done.get("model") != model: done = {}
    for k,part in PARTS.items():
        if k in (a.only or [o for o in PARTS if o not in done]):
            t = time.perf_counter()
            done |= dict(model=model, command="python benchmarks/worldly.py", versions=versions()) | {k: part(b)} | dict(every=done.get("every", {}) | {k: a.some})
            print(f"{k}: {time.perf_counter()-t:.0f} s", flush=True)
            write_json(a.out, done)

if __name__ == "__main__": main()
