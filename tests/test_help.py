"The help pages quote the code, and nothing that it does not say"
import re
import pytest
from conftest import ROOT

CODE = "\n".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("l1g1000/**/*.py")) + sorted(ROOT.glob("tools/*.py")))
FLAT = " ".join(re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "…", CODE).split()) # what is filled in goes

def quoted(): return re.findall(r"^\| `([^`]+)` \|", (ROOT/"docs"/"help"/"failures.md").read_text(encoding="utf-8"), re.M)

@pytest.mark.parametrize("line", quoted())
def test_every_message_on_the_page_is_in_the_code(line):
    for part in (o.strip() for o in line.split("…")): assert part in FLAT, f"no error says {part!r}"

def test_the_check_would_notice():
    assert len(quoted()) > 20 and "this is said nowhere at all" not in FLAT
