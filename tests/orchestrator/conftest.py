import pytest

from serving.orchestrator.served_model import ServedModel
from tests.orchestrator.scripted import write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> ServedModel:
    """A tokenizer and a chat template, no weights."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder)
    return ServedModel.from_folder("tiny", folder)
