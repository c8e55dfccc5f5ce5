"""Golden numbers for tests/it/metrics: scikit-learn, SciPy, statsmodels, and the published scripts themselves.

    pip install scikit-learn scipy statsmodels tqdm
    python make.py SCRIPTS > golden.json

SCRIPTS is a folder with, unchanged, `api_eval.py` and `analyze_saved_steerable_outputs.py` of the study's
repository (YunfanZhang42/CoTForAlignment, local_llm/) and `evaluate_steerable_valuekaleidoscope.py` and
`lm_utils.py` of BunsenFeng/modular_pluralism. The saved-output scripts run as they are, in a process of their
own, over generated outputs, and what they print is kept. `api_eval.py` would call a server: of it only
`extract_answer` and the letter table run, and `scores` makes the same scikit-learn calls. `lm_utils.py` imports a
deep-learning stack: of it only `answer_parsing` is executed.
"""

import ast
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import scipy
import sklearn
import statsmodels
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom, norm, wasserstein_distance
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

rng = random.Random(20250704)
NAMES = [
    "accuracy", "balanced_accuracy", "macro_f1", "micro_f1",
    "binary_accuracy", "binary_balanced_accuracy", "binary_macro_f1", "binary_micro_f1",
]


def function(path, name):
    """One function of a script, without running the rest of it."""
    tree = ast.parse(path.read_text())
    nodes = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    space = {"re": __import__("re")}
    exec(compile(ast.Module(nodes, []), str(path), "exec"), space)
    return space[name]


def constants(path, names):
    space = {"re": __import__("re")}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in names:
            exec(compile(ast.Module([node], []), str(path), "exec"), space)
    return space


def printed(text):
    values = [float(line.rsplit(":", 1)[1]) for line in text.splitlines() if ":" in line]
    assert len(values) == 8, text
    return dict(zip(NAMES, values))


def output(letters):
    """A model's text: mostly well formed, sometimes in the ways that scripts disagree on."""
    x = rng.choice(letters)
    return rng.choice([
        f"Because of this.\nAnswer: {x}", f"because it is so.\nAnswer: {x}", f"so Answer: A, no, Answer:\n{x}",
        f"thus the answer is {x.lower()}", f"hm, answer: {x.lower()}", f"i pick ({x})", f"{x}. Oppose", f"so {x}: yes",
        "they would support it", "they oppose this", "it depends on much", "i cannot say", "", f"so it is {x}.",
        f"Answer: {x.lower()}", "Answer: none", "Answer: Zero", f"the correct answer is {x.lower()}", f"ends in {x}",
    ])


def compat(folder):
    cases = []
    for letters, n in [("ABC", 400), ("ABCD", 300), ("ABCDEFGHIJK", 500), ("AB", 60)]:
        golds = [rng.choice(letters) for _ in range(n)]
        outputs = [output(letters + rng.choice(["", "K", "F"])) for _ in range(n)]
        case = {"gold": golds, "output": outputs}
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            rows = work / "rows.jsonl"
            rows.write_text("".join(
                json.dumps({"index": i, "llm_output": o, "correct_valence_option": g}) + "\n"
                for i, (g, o) in enumerate(zip(golds, outputs))))
            saved = folder / "analyze_saved_steerable_outputs.py"
            case["study-saved"] = printed(subprocess.check_output(
                [sys.executable, "-W", "ignore", saved, "--input-file", rows], text=True))
            api = folder / "api_eval.py"
            read = function(api, "extract_answer")
            known = constants(api, ["PATTERN", "PATTERN_COMPILED", "ANSWER_OPTIONS", "ANSWER_DEFAULT"])
            options, default = known["ANSWER_OPTIONS"], known["ANSWER_DEFAULT"]
            pred = [options.get(read(o, known["PATTERN"]), default) for o in outputs]
            gold = [options.get(g, default) for g in golds]
            keep = [i for i, g in enumerate(gold) if g != 2]
            case["study"] = scores(gold, pred) | {
                f"binary_{k}": v for k, v in scores(
                    [gold[i] for i in keep], [pred[i] for i in keep], labels=[0, 1]).items()}
            if set(golds) <= set("ABC"):
                data = [{"label": g, "output": o} for g, o in zip(golds, outputs)]
                (work / "output").mkdir()
                (work / "output" / "rows.json").write_text(json.dumps(data))
                # The module that the script imports, cut down to what it uses.
                source = ast.get_source_segment(
                    (folder / "lm_utils.py").read_text(),
                    next(n for n in ast.parse((folder / "lm_utils.py").read_text()).body
                         if isinstance(n, ast.FunctionDef) and n.name == "answer_parsing"))
                (work / "lm_utils.py").write_text(source + "\n")
                script = work / "evaluate.py"
                script.write_text((folder / "evaluate_steerable_valuekaleidoscope.py").read_text())
                case["modular-pluralism"] = printed(subprocess.run(
                    [sys.executable, "-W", "ignore", script, "-o", "rows"], cwd=work, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
        cases.append(case)
    return cases


def scores(gold, pred, labels=None):
    gold, pred = np.array(gold), np.array(pred)
    return {
        "accuracy": float((gold == pred).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(gold, pred)),
        "macro_f1": float(f1_score(gold, pred, labels=labels, average="macro")),
        "micro_f1": float(f1_score(gold, pred, labels=labels, average="micro")),
    }


def ours():
    """Our own handling: an unreadable answer is wrong and belongs to no class."""
    cases = []
    for k, n in [(3, 200), (5, 300), (11, 500), (1, 20)]:
        gold = [rng.randrange(k) for _ in range(n)]
        pred = [g if rng.random() < 0.6 else rng.choice([*range(k), 254]) for g in gold]
        labels = sorted({*gold, *pred} - {254})
        cases.append({
            "gold": gold, "answers": pred,
            "accuracy": float(np.mean(np.array(gold) == np.array(pred))),
            "balanced_accuracy": float(recall_score(gold, pred, labels=sorted(set(gold)), average="macro")),
            "macro_f1": float(f1_score(gold, pred, labels=labels, average="macro")),
            "micro_f1": float(f1_score(gold, pred, labels=labels, average="micro")),
        })
    return cases


def paired():
    rows = []
    for b, c in [(0, 0), (1, 9), (5, 5), (12, 30), (400, 500), (501, 500), (700, 900)]:
        exact = b + c <= 1000
        p = 1.0 if b + c == 0 else float(mcnemar([[0, b], [c, 0]], exact=exact, correction=True).pvalue)
        rows.append({"b": b, "c": c, "exact": exact, "p": p})
    raw = [0.001, 0.04, 0.03, 0.2, 0.04, 0.9]
    needed = []
    for first, second in [(0.2, 0.1), (0.12, 0.1), (0.01, 0.3)]:
        d, psi = first - second, first + second
        root = norm.ppf(0.975) * psi**0.5 + norm.ppf(0.8) * (psi - d * d) ** 0.5
        needed.append({"first": first, "second": second, "n": float(np.ceil(root**2 / d**2))})
    first = [rng.randrange(4) for _ in range(300)]
    second = [x if rng.random() < 0.5 else rng.randrange(4) for x in first]
    return {
        "mcnemar": rows,
        "holm": {"p": raw, "adjusted": multipletests(raw, method="holm")[1].tolist()},
        "cohens_h": [{"p": p, "q": q, "h": float(proportion_effectsize(p, q))} for p, q in [(0.7, 0.5), (1.0, 0.0), (0.31, 0.33)]],
        "needed": needed,
        "kappa": {"first": first, "second": second, "kappa": float(cohen_kappa_score(first, second))},
        "wilson": [{"hits": h, "of": n, "ends": [float(x) for x in proportion_confint(h, n, method="wilson")]} for h, n in [(0, 10), (8, 10), (123, 456)]],
        "binomial_check": float(binom.cdf(1, 10, 0.5)),
    }


def distributions():
    rows = []
    for k in [2, 4, 5, 11]:
        p, q = [[rng.random() for _ in range(k)] for _ in range(2)]
        if k > 2:
            p[1] = 0.0
        at = list(range(k))
        rows.append({
            "p": p, "q": q, "distance": float(jensenshannon(p, q)),
            "representativeness": float(1 - wasserstein_distance(at, at, p, q) / (k - 1)),
        })
    return rows


print(json.dumps({
    "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "compat": compat(pathlib.Path(sys.argv[1]).resolve()), "ours": ours(), "paired": paired(), "distributions": distributions(),
}))
