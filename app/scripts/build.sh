#!/bin/sh
# Builds bin/api, the static Linux binary of the image. People and the Dockerfile both build with
# this, so both get the same binary. VERSION (default: dev), GOOS and GOARCH (or TARGETARCH) come from the environment.
set -eu
cd "$(dirname "$0")/.."

# -buildvcs=false: the image is built without .git, so a commit stamp would make the two differ.
CGO_ENABLED=0 GOOS="${GOOS:-linux}" GOARCH="${GOARCH:-${TARGETARCH:-}}" go build \
    -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION:-dev}" \
    -o bin/api ./cmd/api

# COPY keeps the time of the file: with a fixed one the same binary is the same layer, whenever it was built.
TZ=UTC touch -t 198001010000.00 bin/api

# COPY keeps the mode; under a strict umask the image's user could not run a file that root owns.
chmod 755 bin/api
