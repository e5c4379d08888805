# The base is a tag here so that a checkout builds anywhere; a release pins it by digest:
# --build-arg BASE=docker.io/library/python:3.13-slim@sha256:…
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/run.txt /build/run.txt
# pip stays outside of the environment that it fills.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --require-hashes --only-binary=:all: -r /build/run.txt
COPY entrypoint.py /app/
COPY manifest_action /app/manifest_action
# Each run is a fresh container, so bytecode that is not in the image would be made anew every time.
RUN /opt/venv/bin/python -m compileall -q -j0 --invalidation-mode unchecked-hash /opt/venv/lib /app

FROM ${BASE}
LABEL org.opencontainers.image.title="Manifest Action" \
      org.opencontainers.image.licenses="Apache-2.0"
# Signature policies ask gpg to verify; nothing of it runs otherwise. Debian keeps one version of it, the newest.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gpg \
    && rm -rf /var/lib/apt/lists/*
# The official images ship the standard library without bytecode.
RUN python -m compileall -q -j0 --invalidation-mode unchecked-hash -x '(ensurepip|site-packages|/test/)' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# No USER: the runner's files belong to the runner's user, and only root can write them in every set-up.
# No WORKDIR: the runner sets it to the workspace. Isolated mode takes no code and no settings from there.
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/app/entrypoint.py"]
