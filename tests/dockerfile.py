"A Dockerfile carried out without a container engine: its steps are run, in order, below a folder that stands for the image's root"
import json, os, re, shlex, shutil, string, subprocess, sys
from pathlib import Path

def instructions(text):
    "Pairs of an instruction and its argument; comments go, continued lines are joined"
    lines = "\n".join(o for o in text.splitlines() if not o.lstrip().startswith("#"))
    return [tuple(o.split(None, 1)) for o in lines.replace("\\\n", " ").splitlines() if o.strip()]

def stages(text):
    "The arguments before the first stage, and name → (base, instructions)"
    before, out = {}, {}
    for op,arg in instructions(text):
        if op == "FROM": base, _, name = arg.split(); out[name] = base, []
        elif out: out[name][1].append((op, arg))
        else: before |= [arg.split("=", 1)]
    return before, out

def ignored(path, patterns):
    "What .dockerignore says of a path: the last pattern that fits it or a folder above it decides"
    out = False
    for p in patterns:
        rx = re.escape(p.lstrip("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{rx}(/.*)?", path): out = not p.startswith("!")
    return out

class Failed(Exception): "A step that ends with an error, as `docker build` would"

class Build:
    "One image: `live` is its root, `env`, `user`, `start` and `check` are what the Dockerfile says of it"
    def __init__(self, file, context, folder, target, args=None, contexts=None, ran=lambda root: None):
        self.context, self.live, self.kept, self.ran = context, folder/"root", folder/"kept", ran
        before, self.stages = stages(file.read_text())
        self.args, self.contexts, self.done = before | (args or {}), contexts or {}, {}
        hide = file.with_name(f"{file.name}.dockerignore").read_text().splitlines()
        self.hide = [o for o in hide if o and not o.startswith("#")]
        self.make(target)
        (self.kept/target).rename(self.live)

    def make(self, name):
        "Build a stage after those that it needs, at the same place, since an environment knows its own path"
        base, steps = self.stages[name]
        for other in [base, *re.findall(r"--from=(\S+)", " ".join(a for o,a in steps if o == "COPY"))]:
            if other in self.stages and other not in self.done: self.make(other)
        if name in self.contexts: shutil.copytree(self.contexts[name], self.live)
        elif base in self.stages: shutil.copytree(self.kept/base, self.live, symlinks=True)
        else: (self.live/"tmp").mkdir(parents=True)
        state = self.done.get(base) or dict(env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}, user="", start=[], CMD=[], check=[])
        self.env, self.cwd, self.given = dict(state["env"]), self.live, {}
        self.state = state | dict(env=self.env)
        for op,arg in steps: getattr(self, f"do_{op.lower()}")(arg)
        self.done[name] = self.state
        self.kept.mkdir(exist_ok=True)
        self.live.rename(self.kept/name)

    def inside(self, text): return re.sub(r"(?<![\w./-])/(opt|src|wheels|model|tmp)\b", rf"{self.live}/\1", text)

    def do_arg(self, arg):
        name, _, default = arg.partition("=")
        self.given[name] = self.args.get(name, default)

    def do_env(self, arg):
        for k,v in (o.split("=", 1) for o in shlex.split(arg)): self.env[k] = string.Template(self.inside(v)).substitute(self.env)

    def do_workdir(self, arg):
        self.cwd = Path(self.inside(arg))
        self.cwd.mkdir(parents=True, exist_ok=True)

    def do_copy(self, arg):
        *words, to = arg.split()
        source = self.kept/words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else self.context
        whole, to = to.endswith("/"), Path(self.inside(to)) if to.startswith("/") else self.cwd/to
        for name in words:
            at = source/name.lstrip("/")
            def skip(folder, names): return [o for o in names if source is self.context and ignored(os.path.relpath(f"{folder}/{o}", source), self.hide)]
            if not at.exists() or source is self.context and ignored(name, self.hide): raise Failed(f"COPY {name}: not in the context")
            if at.is_dir(): shutil.copytree(at, to, symlinks=True, dirs_exist_ok=True, ignore=skip)
            else: shutil.copy(at, to/at.name if whole else to)

    def do_run(self, arg):
        done = subprocess.run(["sh", "-c", self.inside(arg)], cwd=self.cwd, env=self.env | self.given | {"PIP_NO_INDEX": "1"}, capture_output=True, text=True)
        if done.returncode: raise Failed(f"RUN {arg}\n{done.stdout}{done.stderr}")
        self.ran(self.live)

    def do_user(self, arg): self.state["user"] = arg
    def do_expose(self, arg): self.state["port"] = int(arg)
    def do_healthcheck(self, arg): self.state["check"] = json.loads(arg[arg.index("CMD")+3:])
    def do_entrypoint(self, arg): self.state |= dict(start=json.loads(arg), CMD=[])
    def do_cmd(self, arg): self.state["CMD"] = json.loads(arg)

    def command(self, what): return [self.inside(o) for o in what]
