"The ladder of page 75 where the page doesn't look: on named ARM cores, without the newest instructions, and under sanitizers"
import platform, shutil, subprocess
import numpy as np, pytest
from l1g1000.edge.arm import RUNGS, emulate, source

X86 = platform.machine().lower() in ("x86_64", "amd64")

def cases(many):
    "All tails of rows and blocks, and the bytes that overflow first"
    rng = np.random.default_rng(0)
    sizes = [(n, k, m) for n,k,m in zip(rng.integers(1, 40, many).tolist(), rng.integers(1, 200, many).tolist(), rng.integers(1, 10, many).tolist())]
    sizes += [(9, k, 5) for k in range(1, 140)] + [(n, 33, 2) for n in range(1, 26)] + [(8, 64, m) for m in (63, 64, 65, 130)]
    pools = [np.array(o, np.int8) for o in (range(-128, 128), [-128], [-128, 127], range(-127, 128))]
    return [(rng.choice(pools[i%4], (n, k)), rng.choice(pools[i//4%4], (m, k))) for i,(n,k,m) in enumerate(sizes)]

def compiled(compiler, path, *flags):
    tool = shutil.which(compiler)
    if not tool: pytest.skip(f"no {compiler} on PATH: apt-get install {'gcc-aarch64-linux-gnu' if 'aarch64' in compiler else compiler}")
    done = subprocess.run([tool, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", "-DMAIN", *flags, "-o", str(path), str(source())], capture_output=True, text=True)
    if done.returncode and "sanitize" in str(flags) and "cannot find" in done.stderr: pytest.skip(f"{compiler} has no sanitizers here: {done.stderr.strip().splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return str(path)

def check(command, many):
    told = cases(many)
    want = [(x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32) for w,x in told]
    for rung in RUNGS:
        for (w,x),y,z in zip(told, emulate(told, rung, threads=3, command=command)[0], want):
            assert y.dtype == np.int32 and np.array_equal(y, z), f"{rung} differs for w {w.shape}, x {x.shape}"

@pytest.mark.timeout(60)
@pytest.mark.parametrize("core,march", [("cortex-a76", "armv8.2-a+dotprod"), ("neoverse-n1", "armv8.2-a+dotprod"), ("cortex-a53", "armv8-a")])
def test_equal_bits_on_a_named_core(core, march, tmp_path):
    qemu = shutil.which("qemu-aarch64")
    if not qemu: pytest.skip("no qemu-aarch64 on PATH: apt-get install qemu-user")
    check([qemu, "-cpu", core, compiled("aarch64-linux-gnu-gcc", tmp_path/"gemv", "-O3", "-static", f"-march={march}")], 60)

@pytest.mark.timeout(60)
@pytest.mark.parametrize("march", ["native", "x86-64-v3", "x86-64"])
def test_no_step_beyond_the_data(march, tmp_path):
    if not X86: pytest.skip(f"these options are for x86, this is {platform.machine()}")
    exe = compiled("gcc", tmp_path/"gemv", "-O1", f"-march={march}", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    check(["env", "ASAN_OPTIONS=detect_leaks=0", exe], 60)

def test_a_difference_would_be_seen(tmp_path):
    wrong = tmp_path/"wrong"
    wrong.write_text("#!/bin/sh\nhead -c 1000000 /dev/zero\n")
    wrong.chmod(0o755)
    with pytest.raises(ValueError, match="ended with 0"): check([str(wrong)], 1)
    size = sum(4*len(w)*len(x) for w,x in cases(1))
    wrong.write_text(f"#!/bin/sh\ncat > /dev/null\nhead -c {size} /dev/zero\n")
    with pytest.raises(AssertionError, match="scalar differs"): check([str(wrong)], 1)
