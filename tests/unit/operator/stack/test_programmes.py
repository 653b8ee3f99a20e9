"""The programme file of a stack's folder: the one that was named last, and no other programme in its place."""

import pytest

from services.operator.deployment.template import TEMPLATE
from services.operator.stack.errors import StackError
from services.operator.stack.programmes import programme_of
from shared.play.scenario import DEFAULT_PROGRAMME


def test_the_file_of_the_last_start_is_kept(tmp_path):
    data, file = tmp_path / "data", tmp_path / "programme.yaml"
    file.write_text(TEMPLATE)

    assert programme_of(data, None) == DEFAULT_PROGRAMME
    assert programme_of(data, file) == file
    assert programme_of(data, None) == file


def test_a_file_that_is_gone_is_not_replaced_by_the_reference_programme(tmp_path):
    file = tmp_path / "programme.yaml"
    file.write_text(TEMPLATE)
    programme_of(tmp_path / "data", file)
    file.unlink()

    with pytest.raises(StackError, match=r"was started with .*programme.yaml, which is not there"):
        programme_of(tmp_path / "data", None)


def test_a_faulty_file_is_not_kept(tmp_path):
    file = tmp_path / "programme.yaml"
    file.write_text("name: 1")

    with pytest.raises(StackError, match=r"programme.yaml"):
        programme_of(tmp_path / "data", file)
    assert programme_of(tmp_path / "data", None) == DEFAULT_PROGRAMME
