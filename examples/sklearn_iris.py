"""Classify iris flowers with scikit-learn, with cross-validation.

    python examples/sklearn_iris.py

Takes a few seconds. Prints the accuracy of each of five folds and their mean, and the confusion
matrix of all folds together.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dshub import load


def main() -> None:
    """Fit a classifier on each fold and print the mean accuracy."""
    flowers = load("iris", split="train")  # the only split
    print(flowers)
    answers, guesses = [], []
    for number, (train, held_out) in enumerate(flowers.folds(5, seed=0, stratify="label"), 1):
        x, y = train.numpy(supervised=True)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
        x, y = held_out.numpy(supervised=True)
        guess = model.predict(x)
        print(f"fold {number}: accuracy {100 * accuracy_score(y, guess):.1f} %")
        answers.append(y)
        guesses.append(guess)
    y, guess = np.concatenate(answers), np.concatenate(guesses)
    print(flowers.features["label"].names)
    print(confusion_matrix(y, guess))
    print(f"result: mean accuracy {100 * accuracy_score(y, guess):.1f} %")


if __name__ == "__main__":
    main()
