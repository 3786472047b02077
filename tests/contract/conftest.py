"""The small shelf of the answer tests serves the model contract too."""

from tests.answer.conftest import product, publish

__all__ = ["product", "publish"]
