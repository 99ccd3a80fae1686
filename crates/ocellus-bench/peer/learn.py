#!/usr/bin/env python3
"""The peer of the learning benchmark: scikit-learn's cross-validated logistic regression on the same numbers.

usage: learn.py FOLDER N DIM N_TRAIN
FOLDER has rows.f32 (N rows of DIM numbers), labels.u8 (the first N_TRAIN rows are learned from, the rest tested)
and folds.u32 of those learned from. The rows are centred and scaled to a mean squared length of 1, without which it needs
ten times as long. As a person would write it: the ten values of C that it comes with, the loss, both processors.
Prints one JSON line.
"""
import json
import pathlib
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import PredefinedSplit


def main():
    folder, (n, dim, n_train) = pathlib.Path(sys.argv[1]), map(int, sys.argv[2:5])
    rows = np.fromfile(folder / "rows.f32", dtype="<f4").reshape(n, dim)
    labels = np.fromfile(folder / "labels.u8", dtype=np.uint8)
    folds = np.fromfile(folder / "folds.u32", dtype="<u4")
    warnings.simplefilter("ignore")  # that some fits have not settled after its 100 rounds
    started = time.perf_counter()
    center = rows[:n_train].mean(axis=0)
    scale = np.float32(1 / np.sqrt(((rows[:n_train] - center) ** 2).sum(axis=1).mean()))
    rows = (rows - center) * scale
    model = LogisticRegressionCV(
        cv=PredefinedSplit(folds), scoring="neg_log_loss", n_jobs=2, use_legacy_attributes=False
    )
    model.fit(rows[:n_train], labels[:n_train])
    seconds = time.perf_counter() - started
    model.predict_proba(rows[n_train:]).astype("<f4").tofile(folder / "probabilities.f32")
    print(json.dumps({"seconds": seconds, "c": float(np.ravel(model.C_)[0])}))


if __name__ == "__main__":
    main()
