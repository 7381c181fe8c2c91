# An image that runs `gate` on the machine whose Docker socket is mounted into it. scripts/dist.sh --image builds it.
#
#   docker run --rm -v /var/run/docker.sock:/var/run/docker.sock -v "$PWD:$PWD" -w "$PWD" --network host IMAGE test
#
# The product is mounted at the path that it has on the machine: Compose resolves mounts there.
ARG BASE=debian:trixie-slim
FROM ${BASE}
ARG VERSION
LABEL org.opencontainers.image.title="stagegate" \
      org.opencontainers.image.source="https://github.com/stagegate/stagegate" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY stagegate.deb /tmp/stagegate.deb
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends /tmp/stagegate.deb docker-cli docker-compose git ca-certificates \
 && rm -rf /tmp/stagegate.deb /var/lib/apt/lists/* /var/cache/apt/*
# The product's folder belongs to a user of the machine.
RUN git config --system --add safe.directory '*'
ENTRYPOINT ["gate"]
CMD ["--help"]
