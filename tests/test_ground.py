"What the ground floor promises and one process on a healthy disk can't show"
import json, os, subprocess, sys, tempfile
import pytest

def python(code, **env): return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | env)

def test_two_processes_with_one_seed_are_equal_to_the_last_bit():
    code = """if True:
        import hashlib, torch
        from l1g1000.core import seed_everything
        seed_everything({})
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8*36, 4))
        opt = torch.optim.AdamW(net.parameters())
        for _ in range(5):
            net(torch.randn(16, 3, 8, 8)).square().mean().backward()
            opt.step()
        print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())"""
    one, same, other = (python(code.format(seed), PYTHONHASHSEED=str(hash)) for seed,hash in ((1, 1), (1, 2), (2, 1)))
    assert len(one.stdout.strip()) == 64, one.stderr
    assert one.stdout == same.stdout != other.stdout

def test_a_full_disk_loses_nothing(tmp_path):
    path = tmp_path/"a.json"
    code = f"""if True:
        import resource, signal
        from l1g1000.core import write_json
        write_json({str(path)!r}, "old")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)) # the disk ends here
        write_json({str(path)!r}, "new"*1000)"""
    done = python(code)
    assert done.returncode == 1 and "OSError" in done.stderr.splitlines()[-1]
    assert json.loads(path.read_text()) == "old" and os.listdir(tmp_path) == ["a.json"]

@pytest.mark.parametrize("parts,said", [(["moji", "names.parquet"], "can't make the cache folder"), ([], "is read-only")])
def test_a_home_that_may_not_be_written_says_what_to_do(parts, said):
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o555)
        code = f"import os, platformdirs\nfrom l1g1000.core import home\nif os.getuid() == 0: os.setuid(65534)\nhome(*{parts})" # root may write anywhere
        done = python(code, L1G1000_HOME=home)
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and last.startswith("PermissionError: ") and said in last and "set L1G1000_HOME to a folder that you can write" in last
        assert not os.listdir(home)

def test_the_serve_room_needs_no_training_room():
    "`pip install l1g1000[serve]` brings neither torch nor pandas: the service starts without them"
    code = """if True:
        import sys
        for o in ("torch", "torchvision", "pandas", "datasets", "scipy", "open_clip", "matplotlib", "sklearn"): sys.modules[o] = None # an import of it fails
        import l1g1000.serve.rest, l1g1000.cli"""
    done = python(code)
    assert done.returncode == 0, done.stderr
