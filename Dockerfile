# The whole product in one binary, for an external Postgres and S3: see compose.yaml.
FROM golang:1.26-bookworm AS build
COPY --from=node:22-bookworm-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:22-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN go run ./assets/build \
 && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /fiducial ./cmd/fiducial \
 && mkdir /data

# Certificates and time zones, a user who is not root, and nothing to run but the binary.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /fiducial /usr/local/bin/fiducial
# For the admin token alone: everything else is in Postgres and S3.
COPY --from=build --chown=65532:65532 /data /data
VOLUME /data
ENV FIDUCIAL_DATA=/data FIDUCIAL_LISTEN=0.0.0.0:8080 FIDUCIAL_LOG_FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/fiducial", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/fiducial"]
CMD ["serve"]
