from manifest_action.events import SecretLearned
from manifest_action.transport.registry.redaction import Secrets
from tests.unit.registry.listener import Events


def test_secrets_are_announced_once_and_kept_out_of_text() -> None:
    events = Events()
    secrets = Secrets(events)
    secrets.learn("canary", "", "abc", "canary-and-more")
    secrets.learn("canary")
    assert events == [SecretLearned("canary"), SecretLearned("canary-and-more")]
    assert secrets.redact("a canary-and-more, a canary, abc") == "a ***, a ***, abc"
    assert "canary" not in repr(events)
