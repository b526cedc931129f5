"""The datasets of Keras: ``from dshub.compat.keras.datasets import mnist``."""

from dshub.compat.keras import datasets as datasets
