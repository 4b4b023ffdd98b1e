"""The ufuncs under the functions: ``numact.ufuncs.f(x, parameter...)``, every parameter an operand.

Where ``numact.f`` has no parameters it is this very ufunc. ``prelu_backward`` and ``swish_backward`` give dx alone
here.
"""

from __future__ import annotations

from ._standard import ufuncs as _ufuncs

globals().update(_ufuncs)

__all__ = [*_ufuncs]
