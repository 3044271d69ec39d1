"""Write the card of l1g1000/consultations: its counts, what emergency.yaml catches, and a baseline. `--check` only says what is stale.

The baseline, TF-IDF of characters and logistic regression, is learnt anew when the consultations changed: a minute on one core. It is kept
in benchmarks/consultations.json.
"""
import argparse, json, re, sys
from collections import Counter
from pathlib import Path
import numpy as np
from l1g1000.card import table
from l1g1000.core import read_json, sha256_file, write_atomic, write_json
from l1g1000.industry.template import alarms, read_phrases

ROOT = Path(__file__).absolute().parents[1]
DATA, CARD, SCORES = ROOT/"l1g1000"/"consultations", ROOT/"data"/"consultations.md", ROOT/"benchmarks"/"consultations.json"
SEEDS, LANGS = 5, dict(en="English", zh="Chinese")

def rows(): return [json.loads(o) for o in (DATA/"consultations.jsonl").read_text(encoding="utf-8").splitlines()]

def phrases(*written): return [o for o in read_phrases(DATA/"emergency.yaml") if not written or o["written"] in written]

def size(row): return len(row["text"].split()) if row["lang"] == "en" else len(re.sub(r"\s", "", row["text"]))

def answers(learn, test):
    "The departments that the baseline gives to rows of a test"
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True), LogisticRegression(C=10, max_iter=200))
    return model.fit([o["text"] for o in learn], [o["department"] for o in learn]).predict([o["text"] for o in test])

def right(found, test): return float(np.mean([a == o["department"] for a,o in zip(found, test)]))

def by_group(rows, seed):
    "Four fifths of the scenarios to learn from, and the rest"
    groups = sorted({o["group"] for o in rows})
    test = {*np.random.default_rng(seed).permutation(groups)[:len(groups)//5].tolist()}
    return [o for o in rows if o["group"] not in test], [o for o in rows if o["group"] in test]

def measure(rows):
    "The baseline beside the largest class: by language, by department, and on a style of writing that was kept away"
    from l1g1000.chain import versions
    scores, found = {}, []
    for lang in (*LANGS, "both"):
        accuracy, majority = [], []
        for seed in range(SEEDS):
            learn, test = by_group([o for o in rows if lang in (o["lang"], "both")], seed)
            most = Counter(o["department"] for o in learn).most_common(1)[0][0]
            given = answers(learn, test)
            accuracy.append(right(given, test))
            majority.append(right([most]*len(test), test))
            if lang == "both": found += [(o["department"], str(a)) for o,a in zip(test, given)]
        scores[lang] = dict(accuracy=accuracy, majority=majority)
    recall = {d: float(np.mean([a == d for b,a in found if b == d])) for d in sorted({b for b,_ in found})}
    mixed = Counter(tuple(sorted(o)) for o in found if o[0] != o[1]).most_common(4)
    styles = {w: style(rows, w) for w in sorted({o["writer"] for o in rows})}
    return dict(command="python tools/consultations.py", made_with=versions(), sha256=sha256_file(DATA/"consultations.jsonl"), seeds=SEEDS,
        languages=scores, recall=recall, mixed=[[*pair, n] for pair,n in mixed], tested=len(found), styles=styles)

def style(rows, writer):
    "Learnt from the other styles, without the scenarios of this one"
    test = [o for o in rows if o["writer"] == writer]
    learn = [o for o in rows if o["group"] not in {o["group"] for o in test}]
    return dict(learnt=len(learn), tested=len(test), accuracy=right(answers(learn, test), test))

def percent(part, whole): return f"{part:,} of {whole:,} ({100*part/whole:.1f} %)"

def holds(rows, scores):
    groups = Counter(o["group"] for o in rows)
    at = Counter((o["department"], o["lang"]) for o in rows)
    departments = table([dict(department=d, English=at[d, "en"], Chinese=at[d, "zh"], scenarios=len({o["group"] for o in rows if o["department"] == d}),
        emergencies=sum(o["emergency"] for o in rows if o["department"] == d), recall=f"{scores['recall'][d]:.2f}") for d in sorted({d for d,_ in at})])
    lengths = {k: [size(o) for o in rows if o["lang"] == k] for k in LANGS}
    sizes = ", ".join(f"{len(n):,} {LANGS[k]} of {min(n)} to {max(n)} {unit} (median {int(np.median(n))})" for (k,n),unit in zip(lengths.items(), ("words", "characters")))
    writers = ", ".join(f"{w} {n}" for w,n in Counter(o["writer"] for o in rows).most_common())
    return f"""# Consultations

{len(rows):,} short messages to the chat of a clinic, in English and Chinese, and the department that should see them first. **Not for clinical use.** Written for this course, not collected from patients: no person, name or record stands behind a row. Licence: CC-BY-4.0. This card by `python tools/consultations.py`.

## What it holds

{sizes}; {len(groups):,} scenarios with {min(groups.values())} to {max(groups.values())} rows. {percent(sum(o["emergency"] for o in rows), len(rows))} are emergencies. Styles of writing: {writers}. One JSON object a line: `id`, `group` (the scenario), `lang`, `text`, `department`, `emergency`, `writer`.

{departments}

*recall*: of the baseline below, both languages together."""

def caught(rows):
    urgent, calm = ([o for o in rows if o["emergency"] == b] for b in (True, False))
    every, early = phrases(), phrases("before")
    def hits(those, signs): return sum(bool(alarms(o["text"], signs)) for o in those)
    return f"""

## Emergencies

An emergency here is what an ambulance or the emergency department should see now. What should be seen on the same day (new angina, an ulcer of the cornea, an ear that went deaf overnight) is not marked.

`emergency.yaml` lists {len(every)} warning signs, as regular expressions with a reason each. A program that uses this set is to ask it first, escalate whatever it finds, and let no model overrule it. Those marked `before` were written before the consultations, by the same author: they caught {percent(hits(urgent, early), len(urgent))}. The rest were added for those that were missed, so that all of them catch {percent(hits(urgent, every), len(urgent))}, by construction: on messages of others, expect the first figure at best. False alarms: {percent(hits(calm, every), len(calm))}, some from a negation ("no black stools"), most from a word in another sense ("fitting" a lens). The phrases don't read negations, on purpose: an alarm too many costs a call.
"""

def baseline(scores):
    spread = lambda x: f"{100*np.mean(x):.1f} ± {100*np.std(x, ddof=1):.1f} %"
    langs = table([{"rows": LANGS.get(k, k), "accuracy": spread(o["accuracy"]), "largest class": spread(o["majority"])} for k,o in scores["languages"].items()])
    styles = table([{"style kept away": w, "learnt from": o["learnt"], "tested on": o["tested"], "accuracy": f"{100*o['accuracy']:.1f} %"} for w,o in scores["styles"].items()])
    mixed = ", ".join(f"{a} and {b} ({n})" for a,b,n in scores["mixed"])
    return f"""
## A baseline

TF-IDF of one to four characters and logistic regression, its strength chosen once on the rows that were written first, one model for both languages or for each; a fifth of the scenarios kept for the test, mean and standard deviation of {scores["seeds"]} seeds ({scores["made_with"]}):

{langs}

Mixed up most often, of {scores["tested"]:,} answers: {mixed}. On a style of writing that was not learnt from, nor any scenario of it, in both languages:

{styles}

The fewer rows are left to learn from, the harder: read the second table beside its second column. Whoever writes for a relative ("my son, 20") reads much like the parent of a small child.
"""

WRITTEN = """
## How it was written

By a language model, row by row, from no source: not from templates, not by shuffling phrases, not by translating. A scenario is one complaint; its rows are different people who have it, of other ages and in other words. The scenarios that were written first are full of turns of phrase, and the Chinese row tells its own story; the baseline found few of them, so that the others are told more plainly, and there the Chinese row tells much the same story as the English one. The texts hold what real messages hold: guesses of the family, what another doctor said, results, typing errors, symptoms of two departments, and phrases that sound alarming and are not (a rib that hurts when pressed, beetroot in the urine). No clinician has checked them.

The label is the department that a triage nurse would choose first, by these rules: under 14 years, paediatrics, whatever hurts; pregnant, gynaecology, and breasts too; vessels of the leg, cardiology; snoring with pauses, respiratory, without pauses, ENT; spinning when the head turns, ENT, unsteady walking, neurology; food that sticks below the throat, gastroenterology; pain that runs from the back or neck into a limb, orthopaedics; a hand that falls asleep at night, orthopaedics; the skin of the lids, dermatology; a complaint that another department has looked at and sent on goes where it was sent. Hospitals differ: in some, a hand that falls asleep is neurology's.
"""

LIMITS = """
## What to split by

By `group`: all rows of a scenario, in both languages, lie on one side. Rows must not be split one by one, nor English from Chinese: the same complaint would stand on both sides. To ask whether a model copes with people who write differently, keep a `writer` style away as well, together with its scenarios.

## What it is not good for

Patients. It is one author's language, imagined: real messages are longer and shorter, worse spelt, about more than one thing, in dialects and by people who are too ill to be witty. Every department is as frequent as every other and one row in eleven is an emergency, which no clinic sees. There is one label a row, where a nurse would ask back. There are twelve departments; the complaints of kidney, hormone, blood, cancer, teeth and much else are missing, so a program must be able to abstain, under a threshold that was calibrated on rows it did not learn from. Advice that was right somewhere may be wrong elsewhere: the set holds no answers, only questions. A score on it says how a method copes with little data in two languages, and nothing about care.
"""

def card():
    o, scores = rows(), read_json(SCORES)
    return holds(o, scores) + caught(o) + baseline(scores) + WRITTEN + LIMITS

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="write nothing; exit 1 when the card or the baseline is stale")
    check = p.parse_args().check
    if not SCORES.is_file() or read_json(SCORES)["sha256"] != sha256_file(DATA/"consultations.jsonl"):
        if check: sys.exit(f"stale: {SCORES.relative_to(ROOT)} is of other consultations: run python tools/consultations.py")
        write_json(SCORES, measure(rows()))
        print(f"wrote: {SCORES.relative_to(ROOT)}")
    text = card()
    if CARD.is_file() and CARD.read_text(encoding="utf-8") == text: return
    if check: sys.exit(f"stale: {CARD.relative_to(ROOT)}: run python tools/consultations.py")
    with write_atomic(CARD) as f: f.write_text(text, encoding="utf-8")
    print(f"wrote: {CARD.relative_to(ROOT)}")

if __name__ == "__main__": main()
