import pytest


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries that nobody asked for are a hundredth of what they are in earnest."""
    monkeypatch.setattr("manifest_action.transport.registry.patience._BASE", 0.005)
    monkeypatch.setattr("manifest_action.transport.registry.repository._SETTLING", (0.01, 0.02, 0.04))
    monkeypatch.setattr("manifest_action.transport.registry.referrers._LISTING_DELAYS", (0.005, 0.01))
