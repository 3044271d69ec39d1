"The server among strangers: broken bodies, clients that leave, a crowd; and it stops when told"
import io, random, socket, threading, time
import httpx, numpy as np, psutil, pytest
from PIL import Image
from l1g1000.serve.rest import drive, make_app, serve_in_background
from l1g1000.serve.service import Service, save_artefact

def encoded(fmt, size=(64, 64)):
    f = io.BytesIO()
    Image.new("RGB", size, "red").save(f, fmt)
    return f.getvalue()

@pytest.fixture
def folder(tmp_path):
    (tmp_path/"model.onnx").write_bytes(b"stands for a model")
    return save_artefact(tmp_path, (np.eye(3)*2-1)/3**.5, ["🟥", "🟩", "🟦"], {"en": ["red", "green", "blue"]}, 16)

@pytest.fixture
def url(folder):
    with serve_in_background(make_app(Service(folder, lambda x: x.mean((2, 3))))) as url: yield url

def spoilt(rng, data):
    "A few bytes changed, perhaps cut"
    data = bytearray(data)
    for _ in range(rng.randint(1, 12)): data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[:rng.randint(1, len(data))] if rng.random() < .3 else data)

def test_random_and_spoilt_bodies_get_4xx_or_an_answer(url, caplog):
    rng = random.Random(0)
    noise = [rng.randbytes(rng.randint(0, 3000)) for _ in range(500)]
    seeds = [encoded(o) for o in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")]
    wrecks = [spoilt(rng, rng.choice(seeds)) for _ in range(1000)]
    before = psutil.Process().memory_info().rss
    said = {a["status"] for a in drive(url, noise, len(noise))["answers"]}
    assert said and said <= {415, 422}
    said = {a["status"] for a in drive(url, wrecks, len(wrecks))["answers"]}
    assert {200, 415, 422} <= said <= {200, 413, 415, 422}
    assert psutil.Process().memory_info().rss - before < 300e6
    assert not [o for o in caplog.records if o.levelname in ("ERROR", "CRITICAL")]

def test_forms_cut_anywhere_get_4xx(url):
    whole = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + encoded("PNG", (4, 4)) + b"\r\n--x--\r\n"
    with httpx.Client(trust_env=False, headers={"content-type": "multipart/form-data; boundary=x"}) as http:
        said = [http.post(f"{url}/v1/predict", content=whole[:n]).status_code for n in range(len(whole)+1)]
    assert said[-1] == 200 and set(said[:-12]) <= {415, 422}, said

def test_clients_that_leave_do_no_harm(url, caplog):
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    for _ in range(50):
        with socket.create_connection(address) as s: s.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    report = drive(url, [encoded("PNG")], 20)
    assert report["errors"] == 0
    assert not [o for o in caplog.records if o.levelname in ("ERROR", "CRITICAL")]

def test_a_crowd_is_told_to_come_back(folder):
    def slow(x):
        time.sleep(.05)
        return x.mean((2, 3))
    with serve_in_background(make_app(Service(folder, slow), workers=2, waiting=4)) as url: report = drive(url, [encoded("PNG")], 60, 30)
    said = [a["status"] for a in report["answers"]]
    assert set(said) == {200, 503}
    assert report["errors"] == said.count(503)

def test_its_documentation_works_offline(url, browser):
    with browser.new_context() as context:
        page = context.new_page()
        asked, wrong = [], []
        page.on("request", lambda r: asked.append(r.url))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.goto(f"{url}/docs")
        page.get_by_text("/v1/predict").first.wait_for(timeout=20_000)
        assert asked and not wrong and not [o for o in asked if not o.startswith((url, "data:", "blob:"))]

def test_it_works_behind_a_proxy_setting(url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert drive(url, [encoded("PNG")], 4)["errors"] == 0

def test_it_stops_and_leaves_nothing(folder):
    app = make_app(Service(folder, lambda x: x.mean((2, 3))))
    with serve_in_background(app) as url: drive(url, [encoded("PNG")], 8)
    before = threading.active_count(), psutil.Process().num_fds()
    for _ in range(5):
        with serve_in_background(app) as url: assert drive(url, [encoded("PNG")], 8)["errors"] == 0
        with pytest.raises(httpx.ConnectError): httpx.get(f"{url}/healthz", trust_env=False)
    assert threading.active_count() <= before[0] and psutil.Process().num_fds() <= before[1]
    with pytest.raises(KeyError), serve_in_background(app): raise KeyError("an error inside the with stops it too")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ValueError, match="is taken"), serve_in_background(app, taken.getsockname()[1]): ...
