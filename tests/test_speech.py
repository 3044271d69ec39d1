"What the speech page promises and one process can't show"
import os, shutil, signal, subprocess, sys, time
import pytest
from conftest import ROOT

pytest.importorskip("espeakng_loader", reason="eSpeak NG is optional: pip install espeakng-loader")
SPEAK = "from l1g1000.data.speech import load_speech\nload_speech({}, ['f1', 'm8'], {}, 8000)"

def python(code, home, **env):
    "Run code with a cache of its own, in which the moji world stands already"
    from l1g1000.core import home as ours
    for o in ("moji", "npm"):
        if not (home/o).exists(): (home/o).symlink_to(ours(o, "x").parent)
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | dict(PYTHONPATH=str(ROOT), L1G1000_HOME=str(home)) | env,
        stderr=subprocess.PIPE, text=True)

def shards(home): return {p.name: p.read_bytes() for p in (home/"speech").glob("*.arrow")}

@pytest.mark.timeout(120)
def test_two_processes_speak_the_same_bytes(tmp_path):
    "eSpeak seeds itself from the clock and carries state from word to word: neither may be heard"
    homes = tmp_path/"a", tmp_path/"b"
    for i,h in enumerate(homes):
        h.mkdir()
        time.sleep(1.1*i)
        p = python(SPEAK.format(["en", "sw", "zh"][::1-2*i], "['🐘', '🌙']"), h, PYTHONHASHSEED=str(i))
        assert p.wait() == 0, p.stderr.read()
    a,b = map(shards, homes)
    assert len(a) == 6 and a == b

@pytest.mark.timeout(120)
def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    code = SPEAK.format(["en", "de", "fr", "es", "it", "nl"], "[o for o in load_moji(['noto']).concepts['concept']][:200]")
    code = "from l1g1000.data.moji import load_moji\n" + code
    p = python(code, tmp_path)
    def sealed(): return [k for k in shards(tmp_path) if (tmp_path/"speech"/k).with_suffix(".sha256").exists()]
    while len(done := sealed()) < 2 and p.poll() is None: time.sleep(.02)
    p.send_signal(signal.SIGKILL)
    p.wait()
    assert 2 <= len(done) < 12, "killed half-way"
    kept = {k: (tmp_path/"speech"/k).stat().st_mtime_ns for k in done}
    p = python(code, tmp_path)
    assert p.wait() == 0, p.stderr.read()
    assert len(shards(tmp_path)) == 12
    assert {k: (tmp_path/"speech"/k).stat().st_mtime_ns for k in kept} == kept, "what was done is not spoken again"

def test_nothing_is_spoken_before_it_is_asked_for():
    code = """if True:
        import sys
        sys.modules["espeakng_loader"] = None # an import of it fails
        import l1g1000.data.speech, l1g1000.card
        try: l1g1000.data.speech.load_speech(["en"])
        except ModuleNotFoundError as e: assert "pip install" in str(e) and "espeak" in str(e), e
        else: raise AssertionError("no error")"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | dict(PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr

def test_a_cut_prompt_is_refused(tmp_path):
    from l1g1000.core import home
    from l1g1000.data.speech import _prompts_in, load_prompts
    found = _prompts_in("/") or _prompts_in(home("asterisk"))
    if not found: pytest.skip("the recorded prompts are not here: load_prompts() says how to get them")
    sounds,texts = (tmp_path/"usr/share"/o for o in ("asterisk/sounds/en", "doc/asterisk-core-sounds-en"))
    for o in (sounds, texts): o.mkdir(parents=True)
    shutil.copy(found[1], texts)
    with pytest.raises(ValueError, match="do not belong together"): load_prompts(tmp_path)
    shutil.copy(found[0]/"activated.wav", sounds)
    whole = load_prompts(tmp_path)
    assert list(whole["text"]) == ["Activated."]
    (sounds/"activated.wav").write_bytes((found[0]/"activated.wav").read_bytes()[:5000])
    with pytest.raises(ValueError, match="cut off"): load_prompts(tmp_path)
