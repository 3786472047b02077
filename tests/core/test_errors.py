from __future__ import annotations

import errno
import os
import pickle

import pytest
from pydantic import BaseModel, Field, ValidationError

from app.core import errors
from app.core.errors import ShioriError, demand, why


def kinds(base: type[ShioriError] = ShioriError) -> list[type[ShioriError]]:
    """The tree of app.core.errors; rooms may have kinds of their own below it."""
    below = [kind for kind in base.__subclasses__() if kind.__module__ == errors.__name__]
    return [base, *(kind for branch in below for kind in kinds(branch))]


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_one_shape_and_survives_a_process_boundary(
    kind: type[ShioriError],
) -> None:
    error = kind("開けません。", hint="確かめてください。", field="本.pdf")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.as_dict() == error.as_dict()
    assert set(error.as_dict()) == {"code", "message", "hint", "field"}
    assert 400 <= kind.status < 600
    assert str(error) == "開けません。"


def test_codes_tell_errors_apart() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EADDRINUSE, errno.ELOOP])
def test_common_causes_are_in_japanese(number: int) -> None:
    assert not why(OSError(number, os.strerror(number))).isascii()


def test_an_unknown_cause_is_told_as_it_is() -> None:
    assert why(OSError(errno.EXDEV, "Invalid cross-device link")) == "Invalid cross-device link"
    assert why(OSError("strange")) == "strange"


class Form(BaseModel):
    number: int = Field(default=1, ge=1, le=9)
    share: float = 0.5
    names: list[str] = Field(default=["x"], min_length=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"number": "x"}, "整数で指定してください"),
        ({"number": 0}, "1以上にしてください"),
        ({"number": 10}, "9以下にしてください"),
        ({"share": "x"}, "数で指定してください"),
        ({"names": []}, "1つ以上指定してください"),
        ({"names": "x"}, "リストで指定してください"),
        ({"names": [1]}, "文字列で指定してください"),
    ],
)
def test_what_pydantic_finds_is_said_in_japanese(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(values)
    assert demand(caught.value.errors()[0]) == said


def test_what_nobody_foresaw_is_told_as_it_is() -> None:
    assert demand({"type": "strange", "msg": "Strange"}) == "Strange"
    assert errors.demand({"type": "missing"}) == "必要です"
