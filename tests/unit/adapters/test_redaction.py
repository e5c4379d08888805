"""Secrets stay out of text."""

import base64

from manifest_action.adapters.redaction import Redactor


def test_a_secret_its_lines_and_its_base64_are_replaced() -> None:
    redactor = Redactor()
    secret = "first-line\nsecond-line"
    redactor.learn(secret)
    encoded = base64.b64encode(secret.encode()).decode()
    assert redactor(f"a {secret} b second-line c {encoded}") == "a *** b *** c ***"


def test_a_secret_that_holds_another_is_replaced_whole() -> None:
    redactor = Redactor()
    redactor.learn("abcd")
    redactor.learn("abcdefgh")
    assert redactor("xabcdefghx") == "x***x"


def test_learning_again_gives_nothing_new() -> None:
    redactor = Redactor()
    assert "hunter22" in redactor.learn("hunter22")
    assert redactor.learn("hunter22") == ()


def test_values_too_short_to_be_secrets_do_not_garble_text() -> None:
    redactor = Redactor()
    redactor.learn("a")
    redactor.learn("")
    assert redactor("a banana") == "a banana"


def test_a_secret_that_is_no_valid_text_is_replaced_all_the_same() -> None:
    redactor = Redactor()
    redactor.learn("hunter\udcff")
    redactor.learn("hunter\ud800")
    encoded = base64.b64encode(b"hunter\xff").decode()
    assert redactor(f"a hunter\udcff b {encoded} c hunter\ud800") == "a *** b *** c ***"
