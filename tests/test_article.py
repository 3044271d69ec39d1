"The calls that the article shows run as they stand there; only the line that imports is ours"
import numpy as np
import pytest
from l1g1000.core import seed_everything

@pytest.fixture(scope="module")
def things():
    from l1g1000.data.moji import load_moji
    world = load_moji()
    some = world.pictures.filter(lambda o: o == "noto", input_columns=["style"]).select(range(0, 1200, 100))
    name = {c: n for c,l,n in zip(world.names["concept"], world.names["lang"], world.names["name"]) if l == "en"}
    return [name[c] for c in some["concept"]], some["picture"]

@pytest.mark.filterwarnings("ignore") # the hub is out of reach: the course's own CLIP answers, and says so
def test_align(things):
    raw_texts, raw_images = things
    from l1g1000 import MultimodalAligner
    aligner = MultimodalAligner(model_path="clip-vit-base")
    aligned_data = aligner.process(raw_texts, raw_images)
    assert len(aligned_data.to_pandas()) == len(raw_texts) and sum(aligned_data.kept) > len(raw_texts)/2

def test_train_config(tmp_path):
    (tmp_path/"train_config.yaml").write_text('train:\n  optimizer: "AdamW"\n  lr_scheduler: "cosine"\n  batch_size: 256\n  fp16: true\n')
    from l1g1000.config import load_config
    from l1g1000.train.recipe import Recipe
    train = load_config(Recipe, tmp_path/"train_config.yaml", ["data=texts"]).train
    assert (train.optimizer, train.lr_scheduler, train.batch_size, train.fp16) == ("AdamW", "cosine", 256, True)

def test_accumulation():
    "As the article writes it; one line is missing there, and the test shows which"
    import torch
    def run(divided):
        seed_everything(0)
        model, criterion = torch.nn.Linear(4, 2).double(), torch.nn.CrossEntropyLoss()
        x, y = torch.randn(32, 4).double(), torch.randint(0, 2, (32,))
        dataloader, optimizer = list(zip(x.split(8), y.split(8))), torch.optim.SGD(model.parameters(), .1)
        accum_steps = 4
        optimizer.zero_grad()
        for i, (inputs, labels) in enumerate(dataloader):
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            if divided: loss = loss/accum_steps
            loss.backward()
            if (i + 1) % accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
        return model.weight.detach(), model, criterion, x, y
    seed_everything(0)
    whole = torch.nn.Linear(4, 2).double()
    as_written, divided = run(False)[0], run(True)
    torch.nn.CrossEntropyLoss()(whole(divided[3]), divided[4]).backward()
    step = whole.weight.detach() - .1*whole.weight.grad
    assert torch.allclose(divided[0], step, atol=1e-12) # with the division it is the large batch
    assert torch.allclose(as_written - whole.weight.detach(), 4*(step - whole.weight.detach()), atol=1e-12) # without, four times its step

def test_quantize(tmp_path, monkeypatch):
    import torch
    from l1g1000.quant.ort import export_onnx
    monkeypatch.chdir(tmp_path)
    seed_everything(0)
    x = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    export_onnx(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8*14*14, 5)), torch.from_numpy(x), "fp32_model.onnx")
    from l1g1000 import QuantType, quantize_static
    with pytest.raises(ValueError, match="calibration"): # the article's three arguments: without data no range is known
        quantize_static(model_input="fp32_model.onnx", model_output="int8_model.onnx", quant_type=QuantType.QUINT8)
    quantize_static(model_input="fp32_model.onnx", model_output="int8_model.onnx", quant_type=QuantType.QUINT8, calibration=[x])
    assert (tmp_path/"int8_model.onnx").stat().st_size < (tmp_path/"fp32_model.onnx").stat().st_size

def test_few_shots():
    from l1g1000.data.samples import load_sample
    rows = load_sample("questions")
    rows = rows[rows["lang"] == "en"]
    new_domain_data, model = list(zip(rows["text"], rows["office"])), "minilm"
    from l1g1000 import PromptTuner
    tuner = PromptTuner(model, num_shots=10)
    tuned_model = tuner.fit(new_domain_data)
    assert len(tuner.shots) == 10 and tuned_model.predict([new_domain_data[0][0]])[0] in tuned_model.classes
