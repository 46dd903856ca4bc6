#!/usr/bin/env python3
"""Tables: `barun train data.csv` with its defaults beside scikit-learn's, on the same rows.

    python3 -m venv venv && venv/bin/pip install scikit-learn pandas
    venv/bin/python bench/peers/tabular.py --barun target/release/barun --data-dir ../shared/data
    venv/bin/python bench/peers/tabular.py --only wine-red --seeds 1 --learners barun --set model.members=16

Each data set is cut five times into 80 % to train on and 20 % to test on; rows with the same features stay together, so
that no row is tested that was trained on. Every learner gets the same rows and no setting of its own for a data set;
Barun takes the rows by which it chooses its best epoch out of the 80 %. What is shown is the median over the cuts:
accuracy for classes; R2 and the root of the mean squared error for numbers. `ratio` is the error (1 - accuracy, or RMSE)
over that of gradient boosting.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CLASSES, NUMBERS = "classes", "numbers"
# file, target, task, columns without meaning for a new row (names, row numbers, parts of the target)
DATA = {
    "iris": ("iris/iris.csv", "species", CLASSES, []),
    "penguins": ("penguins/penguins.csv", "species", CLASSES, []),
    "titanic": ("titanic/train.csv", "Survived", CLASSES, ["PassengerId", "Name", "Ticket", "Cabin"]),
    "wine-red": ("wine-quality/winequality-red.csv", "quality", NUMBERS, []),
    "wine-white": ("wine-quality/winequality-white.csv", "quality", NUMBERS, []),
    "california": ("california-housing/housing.csv", "median_house_value", NUMBERS, []),
    "bike": ("bike-sharing/hour.csv", "cnt", NUMBERS, ["casual", "registered", "instant"]),
}
TEST_SHARE = 0.2
# Of the rows to train on, those by which Barun chooses its best epoch.
VALID_SHARE = 0.125


def read(name, folder):
    file, target, _, dropped = DATA[name]
    frame = pd.read_csv(Path(folder) / "tabular" / file, sep=None, engine="python", na_values=["NA"])
    return frame.drop(columns=dropped), target


def cut(frame, target, seed):
    """Rows to train on and to test on; rows with the same features go to the same side."""
    features = frame.drop(columns=target).astype(str)
    group = pd.util.hash_pandas_object(features, index=False).to_numpy()
    groups, group = np.unique(group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(groups))
    rows = np.bincount(group)[order].cumsum()
    tested = order[: np.searchsorted(rows, TEST_SHARE * len(frame)) + 1]
    is_test = np.isin(group, tested)
    return frame[~is_test], frame[is_test]


def with_dates_as_numbers(frame):
    """What learners that know no dates are given: the parts of each."""
    parts = []
    for name, column in frame.items():
        date = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce") if not is_number(column) else None
        if date is None or date.isna().any():
            parts.append(column)
            continue
        for part in ["year", "month", "day", "dayofweek", "dayofyear"]:
            parts.append(getattr(date.dt, part).rename(f"{name}_{part}"))
    return pd.concat(parts, axis=1)


def is_number(column):
    return pd.api.types.is_numeric_dtype(column)


def encoder(features, scaled=True):
    """Numbers imputed (and scaled), texts one-hot."""
    numbers = [name for name, column in features.items() if is_number(column)]
    texts = [name for name in features if name not in numbers]
    steps = [SimpleImputer(strategy="median"), StandardScaler()] if scaled else ["passthrough"]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((make_pipeline(*steps), numbers), (one_hot, texts))


def peers(task):
    """Name, scaled inputs or not, learner of a seed."""
    classes = task == CLASSES
    boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    network = MLPClassifier if classes else MLPRegressor
    linear = (lambda seed: LogisticRegression(max_iter=2000)) if classes else (lambda seed: LinearRegression())

    def mlp(stops):
        return lambda seed: network(
            hidden_layer_sizes=(128, 64), max_iter=500, early_stopping=stops, random_state=seed
        )

    return {
        "boosting": (False, lambda seed: boosting(random_state=seed)),
        "mlp": (True, mlp(False)),
        "mlp-stopped": (True, mlp(True)),
        "linear": (True, linear),
    }


def with_peer(learner, task, train, test, target, seed):
    # Networks that stop at the most iterations say so.
    warnings.filterwarnings("ignore")
    scaled, make = peers(task)[learner]
    x, unseen = (with_dates_as_numbers(part.drop(columns=target)) for part in (train, test))
    y = train[target].to_numpy()
    # Networks get a target of deviation 1, as Barun's does.
    shift, scale = (y.mean(), y.std()) if task == NUMBERS else (0, 1)
    pipeline = make_pipeline(encoder(x, scaled), make(seed))
    pipeline.fit(x, (y - shift) / scale if task == NUMBERS else y)
    answers = pipeline.predict(unseen)
    return figures(task, test[target].to_numpy(), answers * scale + shift if task == NUMBERS else answers)


def figures(task, truth, answers):
    if task == CLASSES:
        return {"accuracy": float((truth == answers).mean())}
    squares = float(((truth - answers) ** 2).mean())
    return {"r2": 1 - squares / float(truth.var()), "rmse": squares**0.5}


def with_barun(arguments, task, train, test, target, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if task == NUMBERS:
            # A few different whole numbers would be taken for classes; half of one more changes no figure.
            train, test = (part.assign(**{target: part[target] + 0.5}) for part in (train, test))
        if arguments.numeric:
            train, test = numeric(train, test, target)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        command = [arguments.barun, "train", folder / "train.csv", "--target", target, "--json"]
        command += ["--out", folder / "run", "--seed", seed, "--threads", arguments.threads]
        split = {"train": 1 - VALID_SHARE, "valid": VALID_SHARE, "test": 0, "seed": seed}
        for key, value in split.items():
            command += ["--set", f"data.split.{key}={value}"]
        for setting in arguments.set:
            command += ["--set", setting]
        trained = asked(command)
        measured = asked([arguments.barun, "eval", folder / "run", folder / "test.csv", "--json"])
        found = {key: measured[key] for key in ("accuracy", "r2", "rmse") if measured.get(key) is not None}
        valid = trained["valid"]
        found["valid"] = valid["accuracy"] if task == CLASSES else valid["r2"]
        found["valid_loss"] = valid["loss"]
        return found | {"best_epoch": trained["best_epoch"], "epochs": trained["epochs"]}


def numeric(train, test, target):
    """The numbers that the peers get, for a reader that takes only numbers."""
    x, unseen = (with_dates_as_numbers(part.drop(columns=target)) for part in (train, test))
    columns = encoder(x).fit(x)
    encoded = [
        pd.DataFrame(columns.transform(part)).add_prefix("c").assign(**{target: whole[target].to_numpy()})
        for part, whole in ((x, train), (unseen, test))
    ]
    return encoded


def asked(command):
    answer = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}\n{answer.stderr}")
    return json.loads(answer.stdout)


def median(results, key):
    values = [result[key] for result in results if key in result]
    return statistics.median(values) if values else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--barun", default="target/release/barun", help="the binary")
    parser.add_argument("--data-dir", default="../shared/data", help="the folder with tabular/ in it")
    parser.add_argument("--seeds", type=int, default=5, help="how many cuts")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--learners", nargs="+", default=["boosting", "mlp", "mlp-stopped", "linear", "barun"])
    parser.add_argument("--set", nargs="+", default=[], help="settings for Barun, to try something")
    parser.add_argument("--numeric", action="store_true", help="give Barun the peers' numbers, not the file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="a file to add a line of results to for each fit; results there are not made again")
    arguments = parser.parse_args()

    known = {}
    if arguments.json and Path(arguments.json).exists():
        for line in Path(arguments.json).read_text().splitlines():
            result = json.loads(line)
            known[(result["data"], result["learner"], result["seed"], tuple(result["set"]))] = result
    for name in arguments.only:
        frame, target = read(name, arguments.data_dir)
        task = DATA[name][2]
        found = {}
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            train, test = cut(frame, target, seed)
            for learner in arguments.learners:
                settings = arguments.set if learner == "barun" else []
                result = known.get((name, learner, seed, tuple(settings)))
                if result is None:
                    begin = time.time()
                    if learner == "barun":
                        result = with_barun(arguments, task, train, test, target, seed)
                    else:
                        result = with_peer(learner, task, train, test, target, seed)
                    result |= {"data": name, "learner": learner, "seed": seed, "set": settings}
                    result |= {"seconds": time.time() - begin}
                    if arguments.json:
                        with open(arguments.json, "a") as file:
                            file.write(json.dumps(result) + "\n")
                found.setdefault(learner, []).append(result)
        show(name, task, found)


def show(name, task, found):
    def error(results):
        return 1 - median(results, "accuracy") if task == CLASSES else median(results, "rmse")

    print(f"{name} ({task})")
    for learner, results in found.items():
        if task == CLASSES:
            shown = f"accuracy {median(results, 'accuracy'):.4f}"
        else:
            shown = f"R2 {median(results, 'r2'):.4f}  RMSE {median(results, 'rmse'):.5g}"
        line = f"  {learner:<12} {shown}"
        if "boosting" in found and learner != "boosting" and error(found["boosting"]) > 0:
            line += f"  ratio {error(results) / error(found['boosting']):.3f}"
        if learner == "barun":
            line += f"  valid {median(results, 'valid'):.4f} loss {median(results, 'valid_loss'):.4f}"
            line += f"  best epoch {median(results, 'best_epoch'):.0f} of {median(results, 'epochs'):.0f}"
        print(f"{line}  {median(results, 'seconds'):.1f} s", flush=True)


if __name__ == "__main__":
    main()
