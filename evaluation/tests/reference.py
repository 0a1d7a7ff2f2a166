"""Answers of the reference implementations to drawn questions, for `reference.rs`, which must give the same.

    python3 -m venv VENV
    VENV/bin/pip install numpy scipy statsmodels scikit-learn torchmetrics lm-eval
    VENV/bin/python evaluation/tests/reference.py > evaluation/tests/data/reference.json

Nothing of these packages is copied: their functions are called, and the table of inputs and outputs is stored with their versions.
"""

import json
import random
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import lm_eval
import numpy as np
import yaml
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.api.task import ConfigurableTask
from lm_eval.filters.extraction import RegexFilter
from scipy import optimize, stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.text.squad import (
    _compute_exact_match_score,
    _compute_f1_score,
    _metric_max_over_ground_truths,
)

PACKAGES = ["numpy", "scipy", "statsmodels", "scikit-learn", "torchmetrics", "lm_eval"]
draw = random.Random(20261130)


def wilson():
    for _ in range(60):
        n = draw.choice([1, 5, 20, 50, 100, 1000, 20000])
        x = draw.choice([0, n, draw.randint(0, n)])
        level = draw.choice([0.9, 0.95, 0.99])
        low, high = proportion_confint(x, n, alpha=1 - level, method="wilson")
        yield {"successes": x, "trials": n, "level": level, "low": low, "high": high}


def exact_mcnemar():
    for _ in range(60):
        top = draw.choice([3, 10, 40, 400])
        lost, gained = draw.randint(0, top), draw.randint(0, top)
        p = mcnemar([[7, lost], [gained, 9]], exact=True).pvalue if lost + gained else 1.0
        yield {"lost": lost, "gained": gained, "p": float(min(p, 1.0))}


def holm():
    for _ in range(40):
        p_values = [draw.random() ** draw.choice([1, 4]) for _ in range(draw.randint(1, 12))]
        if draw.random() < 0.3:
            p_values += p_values[:2]
        adjusted = multipletests(p_values, method="holm")[1]
        yield {"p_values": p_values, "adjusted": [float(p) for p in adjusted]}


def kappa():
    for _ in range(40):
        table = [[draw.randint(0, 30) for _ in range(2)] for _ in range(2)]
        pairs = [(i, j) for i in range(2) for j in range(2) for _ in range(table[i][j])]
        if len({label for pair in pairs for label in pair}) == 2:
            yield {"table": table, "kappa": float(cohen_kappa_score(*zip(*pairs)))}


WORDS = ["the", "a", "an", "The", "cat", "cats", "U.S.", "us", "1969,", "July", "(July)", "it's", "its", "–", "x-ray", "Ärzte",
         "naïve", "a-b", "$5", "5", "…", "AN", "the-end", "théâtre", "no.", "yes", "\u00a0", "A.", "不", "_a_"]


def text():
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(0, 6)))


def squad():
    for _ in range(160):
        golds = [text() for _ in range(draw.randint(1, 3))]
        answer = text()
        if draw.random() < 0.4:
            words = draw.choice(golds).split(" ")
            draw.shuffle(words)
            answer = " ".join(words[: draw.randint(0, len(words))])
        exact = _metric_max_over_ground_truths(_compute_exact_match_score, answer, golds)
        f1 = _metric_max_over_ground_truths(_compute_f1_score, answer, golds)
        yield {"answer": answer, "golds": golds, "exact": bool(exact), "f1": float(f1)}


NUMBERS = ["5", "12", "1,234", "$1,234.00", "-7", "0.5", "3.", "$5.", "1,0", "..", "$", "-", "10.0", "1e3"]
FRAMES = ["#### {}", "so #### {}", "####{}", "The answer is {}.", "{} apples", "{}", "{} + {} = {}", "#### {}\n#### {}",
          "x\n#### {}\n", "#### {} dollars", "none", "#### none, {}", "It is {} or {}"]


def gsm8k():
    config = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks/gsm8k/gsm8k.yaml").read_text())
    metric = {key: config["metric_list"][0][key] for key in ("ignore_case", "ignore_punctuation", "regexes_to_ignore")}
    filters = {}
    for listed in config["filter_list"]:
        settings = {key: value for key, value in listed["filter"][0].items() if key != "function"}
        filters[listed["name"]] = RegexFilter(**settings)
    for _ in range(200):
        frame = draw.choice(FRAMES)
        numbers = [draw.choice(NUMBERS) for _ in range(3)]
        answer = frame.format(*numbers)
        gold = draw.choice(["{}", "work\n#### {}", "#### {}"]).format(draw.choice(numbers[:2] + ["5"]))
        row = {"answer": answer, "gold": gold}
        for name, key in [("strict-match", "strict"), ("flexible-extract", "flexible")]:
            found = filters[name].apply([[answer]], [{}])[0][0]
            row[key] = bool(exact_match_hf_evaluate(predictions=[found], references=[gold], **metric)["exact_match"])
        yield row


def choice():
    task = SimpleNamespace(
        OUTPUT_TYPE="multiple_choice",
        _metric_fn_list={"acc": None, "acc_norm": None},
        multiple_input=False,
        multiple_target=False,
        config=SimpleNamespace(process_results=None),
    )
    for _ in range(80):
        choices = [draw.choice(["cat", "a tabby cat", "dog", "Ärzte", "不是", "yes", "x"]) for _ in range(draw.randint(2, 5))]
        lls = [round(-draw.random() * 9, 1) for _ in choices]
        gold = draw.randrange(len(choices))
        task.doc_to_choice = lambda doc: choices
        task.doc_to_target = lambda doc: gold
        task.doc_to_text = lambda doc: ""
        scored = ConfigurableTask.process_results(task, {}, [(ll, False) for ll in lls])
        yield {
            "log_likelihoods": lls, "choices": choices, "gold": gold,
            "acc": bool(scored["acc"]), "acc_norm": bool(scored["acc_norm"]),
        }


def clustered():
    for _ in range(40):
        n = draw.randint(6, 60)
        groups = draw.choice([3, 10, n])
        clusters = list(range(n)) if groups == n else [draw.randrange(groups) for _ in range(n)]
        values = [draw.choice([0.0, 1.0, round(draw.random(), 3)]) for _ in range(n)]
        if len(set(clusters)) < 2:
            continue
        fit = OLS(values, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters)}, use_t=True)
        low, high = fit.conf_int()[0]
        yield {
            "values": values, "clusters": clusters, "mean": float(fit.params[0]), "standard_error": float(fit.bse[0]),
            "low": float(low), "high": float(high),
        }


def paired_score():
    """Tango's interval from its definition: the score test, with the nuisance parameter maximised by a numeric search."""

    def z_of(n, lost, gained, delta):
        floor, top = max(0.0, -delta), min(1.0, (1 - delta) / 2)

        def minus_log_likelihood(q):
            chances = [(lost, q), (gained, q + delta), (n - lost - gained, 1 - 2 * q - delta)]
            if any(p < 0 or (count > 0 and p <= 0) for count, p in chances):
                return np.inf
            return -sum(count * np.log(p) for count, p in chances if count > 0)

        grid = np.linspace(floor, top, 4001)
        best = int(np.argmin([minus_log_likelihood(q) for q in grid]))
        q = optimize.minimize_scalar(
            minus_log_likelihood, bounds=(grid[max(best - 1, 0)], grid[min(best + 1, 4000)]), method="bounded",
            options={"xatol": 1e-14},
        ).x
        q = min([q, floor, top], key=minus_log_likelihood)
        return (gained - lost - n * delta) / np.sqrt(n * (2 * q + delta * (1 - delta)))

    z = stats.norm.ppf(0.975)
    for n, lost, gained in [(5, 1, 0), (20, 0, 0), (40, 6, 2), (100, 0, 9), (160, 20, 40), (500, 25, 12), (1000, 3, 3)]:
        change = (gained - lost) / n
        low = optimize.brentq(lambda d: z_of(n, lost, gained, d) - z, -1 + 1e-9, change - 1e-12, xtol=1e-12)
        high = optimize.brentq(lambda d: z_of(n, lost, gained, d) + z, change + 1e-12, 1 - 1e-9, xtol=1e-12)
        yield {"items": n, "lost": lost, "gained": gained, "low": low, "high": high}


def sign_flip():
    for _ in range(30):
        changes = [draw.randint(-4, 4) for _ in range(draw.randint(2, 11))]
        found = stats.permutation_test(
            (np.array(changes, dtype=float),), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False,
        )
        yield {"changes": changes, "p": float(found.pvalue)}


def quantiles():
    for level in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999]:
        for freedom in [1, 2, 5, 29, 499, 20000]:
            yield {
                "level": level, "freedom": freedom,
                "z": float(stats.norm.ppf(0.5 + level / 2)), "t": float(stats.t.ppf(0.5 + level / 2, freedom)),
            }


TABLES = [wilson, exact_mcnemar, holm, kappa, squad, gsm8k, choice, clustered, paired_score, sign_flip, quantiles]


def main():
    tables = {"versions": {package: version(package) for package in PACKAGES}}
    for table in TABLES:
        tables[table.__name__] = list(table())
    lines = []
    for name, rows in tables.items():
        dump = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
        if isinstance(rows, list):
            lines.append(f"  {dump(name)}: [\n" + ",\n".join(f"    {dump(row)}" for row in rows) + "\n  ]")
        else:
            lines.append(f"  {dump(name)}: {dump(rows)}")
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
