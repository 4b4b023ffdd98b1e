"""Train a small network on scikit-learn's handwritten digits with the textbook loop of mini-batch SGD."""

import numpy as np
from sklearn.datasets import load_digits

import numact as na
from numact import nn

rng = np.random.default_rng(0)
images, targets = load_digits(return_X_y=True)
images = (images - images.mean(axis=0)) / images.std()
order = rng.permutation(len(images))
train, test = order[360:], order[:360]

model = nn.Sequential(nn.Dense(64, 128), nn.Activate("relu"), nn.Dense(128, 10), rng=rng)
optimizer = na.SGD([p.value for p in model.parameters], lr=0.1, momentum=0.9)

for epoch in range(10):
    for x, labels in nn.batches(images[train], targets[train], batch_size=64, rng=rng):
        loss, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
        model.backward(dlogits)
        optimizer.step([p.grad for p in model.parameters])
    accuracy = np.mean(model.forward(images[test]).argmax(axis=1) == targets[test])
    print(f"epoch {epoch + 1}: loss of the last batch {loss:.4f}, test accuracy {accuracy:.1%}")
