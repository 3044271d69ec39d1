"The model through the real compiler, which no page has the time for"
import pytest, torch
from l1g1000.model.config import ModelConfig
from l1g1000.model.transformer import Transformer

TINY = dict(vocab_size=50, image_vocab_size=0, audio_vocab_size=0, hidden_size=32, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=64, max_length=32)
KINDS = dict(dense=dict(num_experts=0, experts_per_token=0, expert_size=0, shared_size=0), experts=dict(num_experts=4, experts_per_token=2, expert_size=16, shared_size=16, full_every=2))

@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_is_the_same_scores_gradients_and_cache(kind):
    torch.manual_seed(0)
    model, ids = Transformer(ModelConfig("nano", **TINY | KINDS[kind])), torch.randint(50, (2, 9))
    torch.compiler.reset()
    fast = torch.compile(model, fullgraph=True)
    def gradients(m):
        model.zero_grad()
        logits = m(ids)
        logits.logsumexp(-1).mean().backward()
        return logits.detach(), [p.grad.clone() for p in model.parameters()]
    (a, ga), (b, gb) = gradients(model), gradients(fast)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    for x,y in zip(ga, gb): torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-3)
    model.eval()
    with torch.no_grad():
        cache, whole = model.new_cache(2), model(ids)
        parts = [fast(ids[:, i:j], cache) for i,j in ((0, 7), (7, 8), (8, 9))]
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-4)

def test_a_fresh_process_opens_our_own_architecture_after_one_import(tmp_path):
    "transformers has no hook by which an installed library could register itself: the one line is needed, and is enough"
    import json, os, subprocess, sys
    from conftest import ROOT
    from l1g1000.model.share import save
    torch.manual_seed(0)
    model = Transformer(ModelConfig("nano", **TINY | KINDS["experts"])).eval()
    save(tmp_path/"ours", model)
    assert json.loads((tmp_path/"ours"/"config.json").read_text())["model_type"] == "l1g1000"
    code = f"""if True:
        import json, torch
        from transformers import AutoModelForCausalLM
        try: AutoModelForCausalLM.from_pretrained({str(tmp_path/'ours')!r}); alone = True
        except ValueError as e: alone = "l1g1000" not in str(e)
        import l1g1000.model.share
        model = AutoModelForCausalLM.from_pretrained({str(tmp_path/'ours')!r})
        with torch.inference_mode(): print(json.dumps([alone, type(model).__name__, model(input_ids=torch.arange(9)[None]).logits.tolist()]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ | dict(PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr
    alone, kind, logits = json.loads(done.stdout)
    assert not alone and kind == "L1g1000ForCausalLM"
    with torch.inference_mode(): torch.testing.assert_close(torch.tensor(logits), model(torch.arange(9)[None]), atol=1e-6, rtol=1e-5)
