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
