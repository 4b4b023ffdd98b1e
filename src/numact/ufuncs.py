"""The ufuncs under the functions: ``numact.ufuncs.f(x, parameter...)``, every parameter an operand.

These are the elementwise and the gated functions. Where ``numact.f`` has no parameters it is this very ufunc.
``prelu_backward`` and ``swish_backward`` give dx alone here. softmax and its kin are generalized ufuncs themselves.
"""

from __future__ import annotations

from ._standard import ufuncs as _ufuncs

globals().update(_ufuncs)

__all__ = [*_ufuncs]
