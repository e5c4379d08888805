"""The logins of docs/logins.md, against registries that insist on them."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.action.runner import Runner
from tests.action.test_documents import STEPS
from tests.support.images import image, push
from tests.support.servers import Auth, Registry, docker_registry

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
GOOGLE = "europe-west3-docker.pkg.dev"
ACR = "acme.azurecr.io"
LOGINS: Mapping[str, tuple[Auth, tuple[str, str]]] = {
    # ECR asks for Basic authentication; the others have token servers.
    ECR: ("htpasswd", ("AWS", "canary-ecr")),
    GOOGLE: ("token", ("oauth2accesstoken", "canary-google")),
    ACR: ("token", ("00000000-0000-0000-0000-000000000000", "canary-acr")),
}
SUFFIX = re.sub("[^a-z0-9]", "_", ECR)
OUTPUTS = {
    f"steps.ecr.outputs.docker_username_{SUFFIX}": "AWS",
    f"steps.ecr.outputs.docker_password_{SUFFIX}": "canary-ecr",
    "steps.google.outputs.access_token": "canary-google",
    "steps.acr.outputs.token": "canary-acr",
}


@pytest.fixture
def clouds() -> Iterator[Mapping[str, Registry]]:
    """A registry for each cloud's name, with the login that cloud's own has."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(docker_registry(auth, login=login)) for name, (auth, login) in LOGINS.items()}


def cloud_step() -> Mapping[str, str]:
    """The step of the document that pushes to all three."""
    (found,) = [inputs for place, inputs in STEPS if "docs/logins.md" in place and ACR in str(inputs)]
    return {name: str(value) for name, value in found.items()}


@pytest.mark.server
def test_one_step_logs_in_to_three_clouds_by_what_their_actions_say(
    clouds: Mapping[str, Registry], tmp_path: Path
) -> None:
    digests = {platform: push(clouds[ECR], "app", image(platform)) for platform in ("linux/amd64", "linux/arm64")}
    runner = Runner(tmp_path)
    filled = {name: told(text, digests, clouds) for name, text in cloud_step().items()}
    result = runner.run(**filled)
    assert result.code == 0, result.log
    for name, repository in ((ECR, "app"), (GOOGLE, "acme/images/app"), (ACR, "app")):
        assert clouds[name].tags(repository) == ["1.4.2"]
    shown = "\n".join(line for line in result.log.splitlines() if not line.startswith("::add-mask::"))
    assert "canary" not in shown + result.summary + "".join(result.outputs.values())


@pytest.mark.server
@pytest.mark.parametrize("missing", LOGINS)
def test_each_login_is_needed(clouds: Mapping[str, Registry], tmp_path: Path, missing: str) -> None:
    digests = {platform: push(clouds[ECR], "app", image(platform)) for platform in ("linux/amd64", "linux/arm64")}
    filled = {name: told(text, digests, clouds) for name, text in cloud_step().items()}
    logins = yaml.safe_load(filled["registries"])
    del logins[clouds[missing].host]
    result = Runner(tmp_path).run(**{**filled, "registries": json.dumps(logins)})
    assert (result.code, result.outputs["error-code"]) == (6, "auth")
    assert clouds[missing].host in result.log
    assert all(not each.tags("app") for each in clouds.values())


def told(text: str, digests: Mapping[str, str], clouds: Mapping[str, Registry]) -> str:
    """An input as the runner would pass it, with the registries of the test in the place of the clouds'."""
    values = {**OUTPUTS, "toJSON(needs.build.outputs)": json.dumps(dict(digests))}
    text = re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: values[match[1]], text)
    for name, registry in clouds.items():
        text = text.replace(name, registry.host)
    return text
