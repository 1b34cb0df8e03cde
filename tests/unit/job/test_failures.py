"""What nobody foresaw still becomes a class and one line."""

from __future__ import annotations

import errno
import json
import os
from types import SimpleNamespace

import pytest
from featx_api.failures import FailureClass
from featx_job.failures import RunFailure, from_exception, from_java


def test_what_nobody_foresaw_is_worth_another_attempt_and_is_one_line() -> None:
    failure = from_exception(KeyError("a\nb"))
    assert (failure.class_, failure.retryable) == ("Internal", True)
    assert "\n" not in str(failure)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_distinguished_from_unforeseen_errors(number: int) -> None:
    full = from_exception(OSError(number, os.strerror(number), "/volume/table"))
    assert (full.class_, full.retryable) == ("OutputFull", True)
    assert "/volume/table" in str(full)


def test_an_exception_whose_text_names_a_class_is_not_of_it() -> None:
    assert from_exception(ValueError("docs/AccessDenied.jpg: No space left")).class_ is FailureClass.INTERNAL


def test_java_classifies_its_exceptions() -> None:
    description = json.dumps({"class": "SecretIncomplete", "message": "Secret a has no key b"})
    thrown = object()
    describe = {thrown: description}.__getitem__
    packages = SimpleNamespace(failure=SimpleNamespace(Failures=SimpleNamespace(describe=describe)))
    failure = from_java(packages, thrown)
    assert (failure.class_, failure.retryable) == (FailureClass.SECRET_INCOMPLETE, False)
    assert str(failure) == "Secret a has no key b"


def test_the_registry_alone_decides_on_a_retry() -> None:
    for class_ in FailureClass:
        assert RunFailure(class_, "").retryable is class_.retryable
