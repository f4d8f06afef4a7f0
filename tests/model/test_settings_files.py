"""Files of settings, tokens and keys are bounded: a name may be that of something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dicodec.batch.policy.policy import load_policy
from dicodec.batch.proof.signing import Signer, read_public_key
from dicodec.cli.arguments import parse_arguments
from dicodec.cli.service_arguments import read_token
from dicodec.cli.wrong_usage import WrongUsage
from dicodec.errors import InvalidOptionError
from dicodec.model.settings_files import LARGEST_SETTINGS, read_settings
from dicodec.service.gateway.config_file import load_config
from dicodec.service.jobs.mapping import load_mapping


def _name_in_options(option: str, path: str) -> object:
    options = Path(path).with_name("options.toml")
    options.write_text(f"{option} = '{path}'")
    return parse_arguments(["worker", "--config", str(options)])


READERS: dict[str, Callable[[str], object]] = {
    "gateway": load_config,
    "policy": load_policy,
    "mapping": lambda path: load_mapping(path, {}),
    "options": lambda path: parse_arguments(["worker", "--config", path]),
    "broker": lambda path: _name_in_options("broker-file", path),
    "token": read_token,
    "private key": Signer,
    "public key": read_public_key,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_larger_than_any_settings_is_refused(reader: str, tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(LARGEST_SETTINGS + 1)

    with pytest.raises((InvalidOptionError, WrongUsage), match="larger than 16 MiB"):
        READERS[reader](str(large))


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    place = tmp_path / "settings"
    with place.open("wb") as file:
        file.truncate(LARGEST_SETTINGS)

    assert read_settings(place) == bytes(LARGEST_SETTINGS)
