"""Train a small network on scikit-learn's handwritten digits by mini-batch SGD."""

import numpy as np
from sklearn.datasets import load_digits

from numact import nn

rng = np.random.default_rng(1)
images, labels = load_digits(return_X_y=True)
images = nn.Standardize(per_feature=False).fit(images).transform(images)
train, test = nn.split(images, labels, fraction=0.2, stratify=labels, rng=rng)

model = nn.Sequential(nn.Dense(64, 128), nn.Activate("relu"), nn.Dense(128, 10), rng=rng)
history = nn.fit(model, *train, lr=0.1, momentum=0.9, epochs=10, batch_size=64, validation=test, rng=rng)

for epoch, (loss, accuracy) in enumerate(zip(history.loss, history.validation_metric, strict=True), 1):
    print(f"epoch {epoch}: mean loss {loss:.4f}, test accuracy {accuracy:.1%}")
