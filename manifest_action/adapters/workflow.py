"""On whose behalf this program runs, as CI systems say it in the environment; for statements about what was made."""

from collections.abc import Mapping

from manifest_action.signing.provenance import UNKNOWN_BUILD, Build


def build_of(environment: Mapping[str, str]) -> Build:
    """What GitHub Actions (Gitea and Forgejo too) or GitLab CI say; outside of them nothing is known."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return _github(environment)
    if environment.get("GITLAB_CI") == "true":
        return _gitlab(environment)
    return UNKNOWN_BUILD


def _github(environment: Mapping[str, str]) -> Build:
    def value(name: str) -> str:
        return environment.get(f"GITHUB_{name}", "")

    server, repository, ref = value("SERVER_URL"), value("REPOSITORY"), value("REF")
    workflow = value("WORKFLOW_REF")
    path = workflow.partition("@")[0].removeprefix(f"{repository}/")
    run = f"{server}/{repository}/actions/runs/{value('RUN_ID')}/attempts/{value('RUN_ATTEMPT') or '1'}"
    return Build(
        builder=f"{server}/{workflow}" if workflow else f"{server}/{repository}",
        invocation=run if value("RUN_ID") else "",
        source=f"git+{server}/{repository}@{ref}",
        commit=value("SHA"),
        workflow={"repository": f"{server}/{repository}", "ref": ref, "path": path},
    )


def _gitlab(environment: Mapping[str, str]) -> Build:
    def value(name: str) -> str:
        return environment.get(f"CI_{name}", "")

    project = value("PROJECT_URL")
    kind = "tags" if value("COMMIT_TAG") else "heads"
    ref = f"refs/{kind}/{value('COMMIT_REF_NAME')}"
    return Build(
        builder=project,
        invocation=value("JOB_URL"),
        source=f"git+{project}@{ref}",
        commit=value("COMMIT_SHA"),
        workflow={"repository": project, "ref": ref, "path": value("CONFIG_PATH") or ".gitlab-ci.yml"},
    )
