"The server among strangers: broken bodies, clients that leave, a crowd; and it stops when told"
import io, random, shutil, signal, socket, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
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

def test_clients_that_leave_while_they_wait_free_their_places(folder, caplog):
    go, first = threading.Event(), []
    def held(x):
        if first: go.wait(20)
        first.append(0)
        return x.mean((2, 3))
    app, body = make_app(Service(folder, held), workers=1, waiting=5, timeout=None), encoded("PNG")
    stats = app.state.batcher.stats
    def inside(n):
        for _ in range(1000):
            if stats.waiting+stats.running == n: return
            time.sleep(.01)
        raise AssertionError(f"{n} were expected, not {stats}")
    with serve_in_background(app) as url, ThreadPoolExecutor(7) as pool:
        post = lambda: httpx.post(f"{url}/v1/predict", content=body, trust_env=False, timeout=30)
        kept = pool.submit(post)
        inside(1)
        for _ in range(20):
            leavers = [socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) for _ in range(5)]
            for o in leavers: o.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            inside(6)
            assert post().status_code == 503
            for o in leavers: o.close()
            inside(1)
        more = [pool.submit(post) for _ in range(5)]
        inside(6)
        go.set()
        assert [o.result().status_code for o in (kept, *more)] == [200]*6
    assert stats.ended == dict(answered=6, cancelled=100) and sum(n*k for n,k in stats.sizes.items()) == 6
    assert not [o for o in caplog.records if o.levelname in ("ERROR", "CRITICAL")]

SLOW = """
import sys, time, uvicorn
from l1g1000.serve.rest import make_app
from l1g1000.serve.service import Service
apps = []
def slow(x):
    if apps:
        while apps[0].state.batcher.stats.accepted < 12: time.sleep(.01)
        print("all are inside", flush=True)
        time.sleep(.3)
    return x.mean((2, 3))
apps.append(make_app(Service(sys.argv[1], slow), size=4, workers=1))
uvicorn.run(apps[0], port=int(sys.argv[2]), log_level="error")
"""

def test_sigterm_ends_it_when_all_are_answered(folder):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", SLOW, str(folder), str(port)], stdout=subprocess.PIPE, text=True) as server, ThreadPoolExecutor(12) as pool, httpx.Client(trust_env=False, timeout=60) as http:
        try:
            for _ in range(600):
                try: http.get(f"http://127.0.0.1:{port}/healthz"); break
                except httpx.ConnectError: time.sleep(.1)
            asked = [pool.submit(http.post, f"http://127.0.0.1:{port}/v1/predict", content=encoded("PNG")) for _ in range(12)]
            assert server.stdout.readline() == "all are inside\n"
            server.send_signal(signal.SIGTERM)
            assert [o.result().status_code for o in asked] == [200]*12
            assert server.wait(60) in (0, -signal.SIGTERM)
        finally: server.kill()
    with pytest.raises(httpx.ConnectError): httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)

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

# --- gRPC

RPC = """
import sys, time
from pathlib import Path
from l1g1000.serve.batcher import Batcher
from l1g1000.serve.rpc import Naming, run_rpc
from l1g1000.serve.service import Namer, Service
calls = []
def slow(x):
    calls.append(1)
    if len(calls) > 1: time.sleep(.5)
    return x.mean((2, 3))
service = Service(sys.argv[1], slow)
tls = tuple(Path(o).read_bytes() for o in sys.argv[2:4]) or None
run_rpc(Naming(service, Batcher(Namer(service), 1)), "localhost:0", lambda s: print(s, flush=True), tls=tls)
"""

def rpc_process(folder, *args):
    p = subprocess.Popen([sys.executable, "-c", RPC, folder, *args], stdout=subprocess.PIPE, text=True)
    return p, p.stdout.readline().split()[2].strip(",")

def test_a_terminated_rpc_server_answers_those_inside(folder):
    from l1g1000.serve.rpc import Client, Picture
    p, at = rpc_process(folder)
    with Client(at) as c:
        inside = [c._one.future(Picture(data=encoded("PNG"))) for _ in range(3)]
        time.sleep(.3)
        p.send_signal(signal.SIGTERM)
        assert all(o.result(timeout=20).top for o in inside)
    assert p.wait(20) == 0

@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_rpc_over_tls(folder, tmp_path):
    import grpc
    from l1g1000.serve.rpc import Client
    key, cert = tmp_path/"key.pem", tmp_path/"cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    p, at = rpc_process(folder, key, cert)
    try:
        with Client(at, tls=cert.read_bytes()) as c: assert c.predict(encoded("PNG"), timeout=20).top
        with Client(at) as c, pytest.raises(grpc.RpcError): c.predict(encoded("PNG"), timeout=3) # in the clear
    finally:
        p.terminate()
        p.wait(20)
