"What the room of tokens promises the rooms above it, which it can't import: the same ids, the same labels, and documents that don't see each other"
from functools import partial
import numpy as np, pytest

torch = pytest.importorskip("torch", reason="the model room needs torch: pip install 'l1g1000[model]'")

LANGS = ["en", "sw", "te"]

@pytest.fixture(scope="module")
def voc():
    from l1g1000.tokens.mix import Vocabulary, all_markers
    from l1g1000.tokens.text import learn_tokenizer
    tok = learn_tokenizer(["red heart", "moyo mwekundu", "ఎర్ర గుండె"]*3, LANGS*3, 400, all_markers(LANGS))
    return Vocabulary(tok, 8192, 512, 512)

@pytest.fixture(scope="module")
def examples(voc):
    from l1g1000.tokens.mix import Picture, Sound, Text
    rng = np.random.default_rng(0)
    def one(i):
        parts = [Picture(rng.integers(0, 512, rng.integers(1, 20))), Text("moyo mwekundu"[:rng.integers(1, 13)], LANGS[i%3]), Sound(rng.integers(0, 512, rng.integers(1, 20)))]
        return voc.example([parts[k] for k in rng.permutation(3)[:rng.integers(1, 4)]])
    return [one(i) for i in range(24)]

@pytest.mark.parametrize("sizes", [dict(), dict(image_vocab_size=0), dict(audio_vocab_size=0), dict(image_vocab_size=7, audio_vocab_size=0)])
def test_the_ids_are_those_of_the_model(voc, sizes):
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.transformer import spans
    from l1g1000.tokens.mix import Vocabulary
    cfg = ModelConfig("nano", **sizes)
    ours = Vocabulary(voc.tokenizer, cfg.vocab_size, cfg.image_vocab_size, cfg.audio_vocab_size)
    assert ours.spans == spans(cfg) and ours.size == cfg.rows

@pytest.mark.parametrize("change,dtype,far", [({}, torch.float32, 1e-5), ({}, torch.float64, 1e-12), (dict(full_every=2), torch.float64, 1e-12)], ids=["nano", "exact", "linear, exact"])
def test_packed_documents_do_not_see_each_other(voc, examples, change, dtype, far):
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.transformer import Transformer
    from l1g1000.tokens.mix import Rows
    torch.manual_seed(0)
    model, rows = Transformer(ModelConfig("nano", **change)).to(dtype).eval(), Rows(examples, 96, pad=voc.marker("<pad>"))
    assert max(map(len, rows.packed)) > 2 and any((r["documents"] < 0).any() for r in rows), "rows must hold several documents, and padding"
    blind = 0
    with torch.no_grad():
        for row,packed in zip(rows, rows.packed):
            ids, documents = (torch.from_numpy(row[k])[None] for k in ("ids", "documents"))
            together, mixed = model(ids, documents=documents)[0], model(ids)[0]
            for k,i in enumerate(packed):
                alone, here = model(torch.from_numpy(examples[i]["ids"])[None])[0], documents[0] == k
                assert (together[here] - alone).abs().max() <= far
                blind = max(blind, float((mixed[here] - alone).abs().max()))
    assert blind > 1e-3, "without the numbers they do see each other, so the test is not blind"

def test_the_loss_of_packed_rows_is_that_of_the_documents(voc, examples):
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.transformer import Transformer
    from l1g1000.tokens.mix import PackedStream
    from l1g1000.train.settings import token_loss
    torch.manual_seed(0)
    model = Transformer(ModelConfig("nano")).eval()
    stream = PackedStream(examples, 128, 1, pad=voc.marker("<pad>"))
    total = count = 0
    with torch.no_grad():
        while stream.epoch == 0 and stream.position < len(stream.rows):
            b = {k: torch.from_numpy(v) for k,v in next(stream).items()}
            loss,n = token_loss(partial(model, documents=b["documents"][:, :-1]), b)
            total, count = total+loss, count+n
        each = [token_loss(model, {k: torch.from_numpy(v)[None] for k,v in o.items()}) for o in examples]
    assert count == sum(n for _,n in each)
    assert torch.allclose(total, sum(l for l,_ in each), rtol=1e-5)

def test_the_trainer_takes_packed_rows(voc, examples, tmp_path):
    from l1g1000.model.config import ModelConfig
    from l1g1000.model.transformer import Transformer
    from l1g1000.tokens.mix import Rows
    pytest.importorskip("accelerate", reason="pip install 'l1g1000[train]'")
    from l1g1000.train.engine import Trainer
    from l1g1000.train.settings import TrainConfig, token_loss
    def loss_of(model, batch): return token_loss(partial(model, documents=batch["documents"][:, :-1]), batch)
    cfg = ModelConfig("nano", hidden_size=32, head_dim=16, num_layers=2, num_experts=0)
    run = Trainer(Transformer(cfg), Rows(examples, 96), TrainConfig(batch_size=4, steps=3, log_every=1), tmp_path, loss_of, say=lambda o: None)
    log = run.fit()
    assert len(log) == 3 and all(np.isfinite(o["loss"]) for o in log)
