# The agent alone in an image: one static program that carries CAP_NET_RAW as a
# file capability, the CA certificates, and no shell.
#
#   docker build -t probe-agent .
#   docker run --read-only --cap-drop=ALL --cap-add=NET_RAW probe-agent trace example.com
#   docker buildx build --platform linux/amd64,linux/arm64 -t probe-agent .
#
# Both base images are arguments, so that it also builds where no public registry
# is reachable. BUILD_IMAGE needs a shell and Go, and CA certificates at CA_BUNDLE;
# RUN_IMAGE needs nothing. GOPROXY and GOSUMDB say where modules come from, if not as usual.
ARG BUILD_IMAGE=golang:1.26
ARG RUN_IMAGE=scratch

# The build runs on the builder's own platform and cross-compiles; nothing of the
# target's runs in it, so other platforms need no emulation.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
ARG GOPROXY
ARG GOSUMDB
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local

# Modules change less often than code: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT
ARG DATE
ARG CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
# The capability is +p and not +ep: see internal/sandbox. The time of every file
# is the commit's.
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT} -X main.date=${DATE}" \
    -o /root-of-image/usr/bin/probe-agent ./cmd/probe-agent && \
    go run ./deploy/image -root /root-of-image -ca-bundle "${CA_BUNDLE}" \
    -configuration deploy/probe-agent.example.yaml -time "${DATE}"

FROM ${RUN_IMAGE}
COPY --from=build /root-of-image/ /
ARG VERSION=devel
ARG COMMIT
ARG DATE
LABEL org.opencontainers.image.title="probe-agent" \
      org.opencontainers.image.description="A traceroute engine that answers Cloudflare's traceroute endpoint" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${DATE}"
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
ENV PROBE_AGENT_CONFIG=/etc/probe-agent/probe-agent.yaml
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/usr/bin/probe-agent", "health"]
ENTRYPOINT ["/usr/bin/probe-agent"]
CMD ["serve"]
