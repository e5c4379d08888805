# check=error=true
# The base is Python 3.13.15 on Debian 13, by the digest of its index, so amd64 and arm64 alike. Another one, or where
# the registry cannot be reached: --build-arg BASE=…
ARG BASE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
# gpg signs, and verifies for signature policies; binutils has `strip`. Debian keeps one version of each, the newest.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils gpg gpg-agent gpgconf \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/image.txt /build/
RUN python -m pip install --disable-pip-version-check --no-cache-dir --no-compile --root-user-action ignore \
    --require-hashes --only-binary :all: --requirement /build/image.txt --target /build/packages
COPY entrypoint.py /image/app/
COPY manifest_action /image/app/manifest_action
COPY scripts/rootfs.py /build/
RUN python -I /build/rootfs.py /build/packages /image

FROM scratch
LABEL org.opencontainers.image.title="Manifest Action" \
      org.opencontainers.image.description="Joins per-architecture images into one multi-arch image" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV PATH=/usr/local/bin:/usr/bin \
    LANG=C.UTF-8
# No USER: the runner's files belong to the runner's user, and only root can open them in every set-up; the program
# then gives its rights up. No WORKDIR: the runner sets it to the workspace, of which isolated mode takes no code.
ENTRYPOINT ["/usr/local/bin/python3", "-I", "/app/entrypoint.py"]
