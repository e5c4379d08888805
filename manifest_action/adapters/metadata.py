"""What docker/metadata-action has worked out in an earlier step: from its output, or from what it left behind."""

from collections.abc import Mapping

from manifest_action.errors import ConfigError, Mark, Problem

_INPUT = "metadata"
_FROM_ENVIRONMENT = "env"
_VARIABLE = "DOCKER_METADATA_OUTPUT_JSON"


def with_metadata(values: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The inputs with `metadata: env` replaced by the JSON that docker/metadata-action leaves in the environment.

    Raises ConfigError when it is not there.
    """
    if values.get(_INPUT, "").strip() != _FROM_ENVIRONMENT:
        return dict(values)
    if not environment.get(_VARIABLE, "").strip():
        raise ConfigError(
            [
                Problem(
                    f"{_VARIABLE} is not set",
                    Mark(f"input {_INPUT}", 1, 1),
                    _INPUT,
                    "let docker/metadata-action run in the same job before, or give its output json",
                )
            ]
        )
    return {**values, _INPUT: environment[_VARIABLE]}
