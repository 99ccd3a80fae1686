"""The peer of the detector benchmark: composes the pictures, and learns on the same numbers with scikit-learn.

  detect.py compose PHOTOGRAPHS OUT N    N pictures with pasted digits as PNG, and boxes.json
  detect.py learn FOLDER                 reads what the benchmark wrote, writes probabilities.f32

The pictures are composed, because no registry package carries boxes of things that a COCO detector does not know: handwritten
digits (UCI, in scikit-learn's package) are enlarged, tinted and pasted onto windows of photographs, with a fixed seed.
Three digits are to be found; the others are pasted too, so that any digit is not enough.
"""

import json
import random
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

WANTED = {2: 0, 4: 1, 7: 2}
LONG_SIDE = 480
STRENGTHS = [0.1, 1.0, 10.0, 100.0, 1000.0]


def window(rng, path):
    picture = Image.open(path).convert("RGB")
    share = rng.uniform(0.6, 1.0)
    width, height = int(picture.width * share), int(picture.height * share)
    left, top = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
    picture = picture.crop((left, top, left + width, top + height))
    scale = LONG_SIDE / max(picture.size)
    size = (max(96, round(picture.width * scale)), max(96, round(picture.height * scale)))
    return np.asarray(picture.resize(size, Image.BICUBIC), np.float32).copy()


def glyph(rng, image, side):
    """A digit with its ink as opacity, cut to its ink."""
    big = Image.fromarray((image / 16 * 255).astype(np.uint8)).resize((side, side), Image.BICUBIC)
    ink = np.clip((np.asarray(big, np.float32) - 150) / 40, 0, 1)
    rows, columns = np.where(ink > 0.5)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def compose(photographs, out, n):
    digits, rng = load_digits(), random.Random(2026)
    by_digit = {digit: np.where(digits.target == digit)[0] for digit in range(10)}
    paths = sorted(Path(photographs).iterdir())
    pictures = []
    for index in range(n):
        canvas = window(rng, paths[index % len(paths)])
        height, width = canvas.shape[:2]
        taken, boxes = [], []
        for _ in range(rng.randint(1, 4)):
            digit = rng.choice(list(WANTED)) if rng.random() < 0.65 else rng.choice([0, 1, 3, 5, 6, 8, 9])
            side = int(rng.uniform(0.28, 0.6) * min(height, width))
            ink = glyph(rng, digits.images[rng.choice(by_digit[digit])], side)
            if min(ink.shape) < 12:
                continue
            for _ in range(20):
                top, left = rng.randint(0, height - ink.shape[0]), rng.randint(0, width - ink.shape[1])
                box = (top, left, top + ink.shape[0], left + ink.shape[1])
                if all(box[3] <= b[1] or b[3] <= box[1] or box[2] <= b[0] or b[2] <= box[0] for b in taken):
                    break
            else:
                continue
            color = np.array([rng.uniform(0, 255) for _ in range(3)], np.float32)
            part = canvas[box[0] : box[2], box[1] : box[3]]
            part += ink[..., None] * (color - part)
            taken.append(box)
            if digit in WANTED:
                sides = [box[0] / height, box[1] / width, box[2] / height, box[3] / width]
                boxes.append({"class": WANTED[digit], "sides": sides})
        name = f"{index:04}.png"
        Image.fromarray(canvas.clip(0, 255).astype(np.uint8)).save(Path(out) / name)
        pictures.append({"file": name, "photograph": index % len(paths), "boxes": boxes})
    (Path(out) / "boxes.json").write_text(json.dumps(pictures))


def learn(folder):
    about = json.loads((folder / "about.json").read_text())
    dim, n_classes = about["dim"], about["n_classes"]
    rows = np.fromfile(folder / "rows.f32", np.float32).reshape(-1, dim)
    labels = np.fromfile(folder / "labels.u8", np.uint8).reshape(-1, n_classes)
    groups = np.fromfile(folder / "groups.u32", np.uint32)
    folds = np.fromfile(folder / "folds.u32", np.uint32)
    boxes = np.memmap(folder / "boxes.f32", np.float32, "r").reshape(-1, dim)
    box_folds = np.fromfile(folder / "box_folds.u32", np.uint32)
    fit = lambda strength, x, y: LogisticRegression(C=strength, max_iter=300).fit(x, y)
    started = time.perf_counter()
    best = []
    for label in labels.T:
        found = []
        for strength in STRENGTHS:
            held_out = np.zeros(len(rows))
            for seen, unseen in GroupKFold(5).split(rows, groups=groups):
                held_out[unseen] = fit(strength, rows[seen], label[seen]).decision_function(rows[unseen])
            found.append((average_precision_score(label, held_out), strength))
        best.append(max(found)[1])
    models = [fit(strength, rows, label) for strength, label in zip(best, labels.T)]
    seconds = time.perf_counter() - started
    assert len(models) == n_classes
    probabilities = np.zeros((len(boxes), n_classes), np.float32)
    for fold in range(folds.max() + 1):
        seen, judged = folds != fold, np.where(box_folds == fold)[0]
        for index, (strength, label) in enumerate(zip(best, labels.T)):
            probabilities[judged, index] = fit(strength, rows[seen], label[seen]).predict_proba(boxes[judged])[:, 1]
    probabilities.tofile(folder / "probabilities.f32")
    print(json.dumps({"seconds": seconds, "strengths": best}))


if __name__ == "__main__":
    if sys.argv[1] == "compose":
        compose(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        learn(Path(sys.argv[2]))
