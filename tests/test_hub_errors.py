"""Faults of this computer on the way to a public model, each with the sentence that says what to do."""

import errno
import os

import pytest

from helpers.hub_errors import reason
from tests.hub import TRY, in_fresh_python


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ALL_PROXY": "socks://127.0.0.1:9"}, "the proxy of this computer cannot be used"),
        ({"HF_TOKEN": "hf_ü"}, "copy it into HF_TOKEN again"),
        ({"SSL_CERT_FILE": "/nowhere/certificates.pem"}, "let SSL_CERT_FILE name those of your network"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings, sentence, tmp_path):
    printed = in_fresh_python(TRY.format(name="gpt2-small"), "https://127.0.0.1:9", tmp_path, **settings)
    assert sentence in printed and "and restart Python." in printed and "damaged" not in printed


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "cannot be written to"),
        (errno.EROFS, "cannot be written to"),
        (errno.ENOTDIR, "cannot be written to"),
    ],
)
def test_a_folder_that_cannot_be_used_is_not_called_damage(number, sentence):
    error = OSError(number, os.strerror(number), "model.safetensors")
    text = reason("gpt2-small", error, "gpt2", 548)
    assert sentence in text and "HF_HOME" in text and "damaged" not in text
