"""What each rung of page 75's ladder costs: modelled cycles on ARM cores, instructions under emulation, and seconds on this x86 beside ONNX Runtime and torch.

    apt-get install gcc-aarch64-linux-gnu qemu-user llvm-19
    python benchmarks/arm.py

Cycles: gcc writes the assembly, each rung's innermost loop is run 300 times through `llvm-mca`'s model of a core, and the cycles are divided by the products that a turn of the loop does.
Everything is then in the first cache. Instructions: a QEMU plugin (arm_count.c) counts a matrix computed three times and once; half of the difference is one. Seconds: every rival has the weights
of all layers, and computes them in turn; CPU time of the thread, rivals in turn, so that other work on the machine meets all alike. Writes arm.json here.
"""
import os, re, shutil, statistics, subprocess, sys, tempfile, time
os.environ |= dict(OMP_NUM_THREADS="1")
from functools import partial
from pathlib import Path
import numpy as np, onnxruntime, torch
from onnx import TensorProto, helper, numpy_helper
from l1g1000.chain import versions
from l1g1000.core import progress, read_json, write_json
from l1g1000.data.clip import checkpoint
from l1g1000.edge.arm import RUNGS, build, emulate, gemv, source
from l1g1000.quant.ort import cpu_features

FILE, ROUNDS, ROWS, TURNS = Path(__file__).with_suffix(".json"), (15, 75), (1, 2, 4, 8), 300 # rounds for large matrices, and for small ones, whose times scatter more
CORES = {"cortex-a55": "phone, small core", "cortex-a76": "phone, big core", "apple-m1": "laptop", "neoverse-n1": "server", "neoverse-v1": "server"}
WHOSE = {"CortexA55": "its own", "A57": "Cortex-A57's", "Cy": "Apple A7's (Cyclone)", "N1": "its own", "V1": "its own", "N2": "Neoverse N2's"}
SMOLLM2 = dict(hidden_size=576, kv=192, size=1536, vocab_size=49152, num_layers=30, used=1) # its config.json

def tool(*names):
    "The first of some programs that is there"
    return next(filter(None, map(shutil.which, names)), None) or sys.exit(f"none of {', '.join(names)} is installed: see the top of this file")

def loops(march):
    "Function → its innermost loops, lines of assembly each"
    done = subprocess.run([tool("aarch64-linux-gnu-gcc"), "-O3", f"-march={march}", "-DLISTING", "-S", "-o", "-", source()], capture_output=True, text=True, check=True)
    return {m[1]: innermost(m[2].splitlines()) for m in re.finditer(r"^(\w+):\n(.*?)^\t\.size\t\1", done.stdout, re.M|re.S)}

def innermost(lines):
    at, found = {o[:-1]: i for i,o in enumerate(lines) if re.match(r"\.L\w+:$", o)}, []
    for i,o in enumerate(lines):
        m = re.match(r"\tb\.?\w*\t(\.L\w+)$|\tcbn?z\t\w+, (\.L\w+)$", o)
        if m and at.get(to := m[1] or m[2], i) < i: found.append((at[to], i))
    return [[o for o in lines[a:b+1] if re.match(r"\t(\w|// tile)", o)] for a,b in found if not any((c,d) != (a,b) and a <= c and d <= b for c,d in found)]

def products(loop):
    "How many a turn of a loop does"
    if mark := next((o for o in loop if "// tile" in o), None): return int(np.prod([int(o) for o in re.findall(r"\d+", mark)]))*16
    def of(op, args): return 1 if op == "madd" else 16 if op == "sdot" else 0 if op not in ("smull", "smull2", "smlal", "smlal2") else 8 if ".8h" in args else 4
    return sum(of(*o.split(None, 1)) for o in loop if len(o.split()) > 1)

def of_rung(found, rung, tile=None):
    "The loop in which a rung does its work"
    mine = [o for o in found[f"{rung}_rows" if rung in ("simd", "dot") else f"gemm_{rung}"] if products(o) and (tile is None or any(f"// tile {tile}" in l for l in o))]
    return max(mine, key=products)

def model(loop, core):
    "(cycles for a product, whose model that is)"
    done = subprocess.run([tool("llvm-mca-19", "llvm-mca"), "-mtriple=aarch64", f"-mcpu={core}", "-mattr=+dotprod", f"-iterations={TURNS}"], input="\n".join(o for o in loop if "//" not in o), capture_output=True, text=True, check=True)
    whose = re.search(r"^\[[\d.]+\]\s+- ([A-Z]\w*?)Unit", done.stdout, re.M)[1]
    return int(re.search(r"Total Cycles:\s+(\d+)", done.stdout)[1])/TURNS/products(loop), WHOSE.get(whose, whose)

def modelled():
    "Rows of the table of cycles, whose model each core has, and the loop for one text"
    new, old, rows = loops("armv8.2-a+dotprod"), loops("armv8-a"), []
    taken = {(o, ""): of_rung(new, o) for o in ("scalar", "auto", "blocked")} | {("simd", t): of_rung(new, "simd", t) for t in ("8 x 1", "4 x 2")} | {("dot", t): of_rung(new, "dot", t) for t in ("8 x 1", "4 x 4")}
    taken["auto without sdot", ""] = of_rung(old, "auto")
    whose = {}
    for (rung,tile),loop in taken.items():
        for core in CORES:
            cycles,whose[core] = model(loop, core)
            rows.append(dict(rung=rung, tile=tile, core=core, kind=CORES[core], instructions=round(sum("//" not in o for o in loop)/products(loop), 3), cycles_per_product=round(cycles, 4)))
    return rows, whose, {k: sum("//" not in o for o in v)/products(v) for k,v in taken.items()}, [o.strip().replace("\t", " ") for o in taken["dot", "8 x 1"] if "//" not in o]

def counted(by_loop):
    "Instructions for a product: in the loop, and executed"
    rng, rows = np.random.default_rng(0), []
    case = rng.integers(-127, 128, (64, 2048)).astype(np.int8), rng.integers(-127, 128, (1, 2048)).astype(np.int8)
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([tool("gcc", "cc"), "-O2", "-shared", "-fPIC", "-o", f"{d}/count.so", FILE.with_name("arm_count.c")], check=True)
        run = [tool("qemu-aarch64"), "-cpu", "max", "-plugin", f"{d}/count.so", "-d", "plugin", str(build("aarch64"))]
        for rung in RUNGS[:-1]:
            one,three = (int(re.search(r"instructions (\d+)", emulate([case], rung, times=n, command=run)[1])[1]) for n in (1, 3))
            rows.append(dict(rung=rung, loop=round(by_loop[rung, "8 x 1" if rung in ("simd", "dot") else ""], 3), executed=round((three-one)/2/case[0].size, 3)))
    return rows

def matrices():
    "(model, matrix, N, K, how many a token reads)"
    c = read_json(checkpoint("nano")/"config.json")
    nano = dict(hidden_size=c["hidden_size"], kv=c["num_kv_heads"]*c["head_dim"], size=c["expert_size"], vocab_size=c["vocab_size"], num_layers=c["num_layers"], used=c["experts_per_token"]+1)
    for name,c in {"SmolLM2-135M": SMOLLM2, "nano": nano}.items():
        d,layers = c["hidden_size"], c["num_layers"]
        yield from [(name, "attention, in", d+2*c["kv"], d, layers), (name, "attention, out", d, d, layers), (name, "feed-forward, in", 2*c["size"], d, layers*c["used"]),
            (name, "feed-forward, out", d, c["size"], layers*c["used"]), (name, "head", c["vocab_size"], d, 1)]

def session(w, kind):
    value = helper.make_tensor_value_info
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "g", [value("x", kind, ["m", w.shape[1]])], [value("y", TensorProto.INT32, ["m", len(w)])],
        [numpy_helper.from_array(np.ascontiguousarray(w.T), "w")])
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString(), o, providers=["CPUExecutionProvider"])

def clocked(rivals, rounds):
    "Name → CPU seconds of each round; the first two warm up"
    names, took = list(rivals), {o: [] for o in rivals}
    for i in range(rounds+2):
        for o in names[i%len(names):] + names[:i%len(names)]:
            start = time.thread_time()
            rivals[o]()
            took[o].append(time.thread_time()-start)
    return {o: t[2:] for o,t in took.items()}

def timed():
    "Rows of the table of seconds"
    rng, rows = np.random.default_rng(0), []
    own = ["native"] + ["avx2"]*cpu_features()["avx2"]
    for o in own: build(o)
    for name,matrix,n,k,count in progress([*matrices()], "matrices"):
        ws = [rng.integers(-127, 128, (n, k)).astype(np.int8) for _ in range(count)]
        copies = {o: [w.copy() for w in ws] for o in (*own, "torch", "compiler")}
        ort = [session(w, TensorProto.UINT8) for w in ws]
        for m in ROWS:
            x = rng.integers(-127, 128, (m, k)).astype(np.int8)
            up, t = (x.astype(np.int16)+128).astype(np.uint8), torch.from_numpy(x)
            one = {"ONNX Runtime": lambda i: ort[i].run(None, {"x": up})[0], "torch": lambda i: torch._int_mm(t, torch.from_numpy(copies["torch"][i]).t()).numpy(),
                "compiler": lambda i: gemv(copies["compiler"][i], x, "auto")} | {f"ours, {o}": partial(lambda o, i: gemv(copies[o][i], x, target=o), o) for o in own}
            want = x.astype(np.int64) @ ws[-1].astype(np.int64).T
            exact = {o: bool((f(count-1) == want + (128*ws[-1].sum(1, dtype=np.int64) if o == "ONNX Runtime" else 0)).all()) for o,f in one.items()}
            took = clocked({o: partial(lambda f: [f(i) for i in range(count)], f) for o,f in one.items()}, ROUNDS[n*k*count < 4e6])
            for o,s in took.items():
                by_round = sorted(a/b for a,b in zip(took["ONNX Runtime"], s))
                rows.append(dict(model=name, matrix=matrix, N=n, K=k, M=m, kernel=o, microseconds=round(statistics.median(s)/count*1e6, 2), ratio=round(statistics.median(took["ONNX Runtime"])/statistics.median(s), 3),
                    low=round(by_round[len(s)//10], 3), high=round(by_round[-1-len(s)//10], 3), exact=exact[o]))
            print(name, matrix, m, {o["kernel"]: o["ratio"] for o in rows[-len(one):]}, flush=True)
    return rows

def signed():
    "How many times as long ONNX Runtime takes with signed x"
    rng = np.random.default_rng(0)
    w = rng.integers(-127, 128, (576, 576)).astype(np.int8)
    a, b = session(w, TensorProto.UINT8), session(w, TensorProto.INT8)
    x = rng.integers(0, 128, (1, 576)).astype(np.int8)
    took = clocked(dict(unsigned=lambda: [a.run(None, {"x": x.view(np.uint8)}) for _ in range(10)], signed=lambda: [b.run(None, {"x": x}) for _ in range(10)]), ROUNDS[0])
    return round(statistics.median(took["signed"])/statistics.median(took["unsigned"]), 1)

def main():
    torch.set_num_threads(1)
    rows,whose,by_loop,loop = modelled()
    said = lambda *a: subprocess.run(a, capture_output=True, text=True).stdout.splitlines()
    mca, gcc = tool("llvm-mca-19", "llvm-mca"), tool("aarch64-linux-gnu-gcc")
    write_json(FILE, dict(command="python benchmarks/arm.py", made_with=versions(), tools=[next(o.strip() for o in said(mca, "--version") if "version" in o), said(gcc, "--version")[0], said(tool("qemu-aarch64"), "--version")[0],
        f"ONNX Runtime {onnxruntime.__version__}", f"torch {torch.__version__}", *said(tool("cc"), "--version")[:1]], machine=f"one thread of a processor with {', '.join(k for k,v in cpu_features().items() if v)}; busy with other work, so CPU time is counted",
        cores=whose, modelled=rows, loop=loop, counted=counted(by_loop), signed_onnxruntime_takes=signed(), timed=timed()))

if __name__ == "__main__": main()
