"""The claims of CS231n lecture 7 on activation functions and training, as experiments on handwritten digits.

Run ``python -m examples.lecture7 --out DIR`` from the top of the repository, with the extra ``demo`` installed.
"""

import os

# The matrix products are too small to gain from threads, and experiments run side by side. NumPy reads it when loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
