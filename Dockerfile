# Builds the programs in one stage and carries only them into the next, which has the C library, its loader, libgcc_s,
# the roots of TLS and the user 65532, and neither a shell nor a package manager.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --locked --release --package leaver --bin leaver && \
    cargo build --locked --release --package leaver-simulator --bin leaver-simulator

FROM gcr.io/distroless/cc-debian12:nonroot AS base
# Not root, and nothing is written: the root file system can be read-only.
USER 65532:65532

# The simulated Genesys Cloud, for trying things out; never in the service's image.
FROM base AS simulator
COPY --from=build /build/target/release/leaver-simulator /usr/local/bin/leaver-simulator
ENV LEAVER_SIMULATOR_LISTEN=0.0.0.0:9100
EXPOSE 9100
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s CMD ["/usr/local/bin/leaver-simulator", "--health"]
ENTRYPOINT ["/usr/local/bin/leaver-simulator"]

FROM base AS service
LABEL org.opencontainers.image.title="Leaver" \
      org.opencontainers.image.description="Takes people who have left the company out of Genesys Cloud" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/target/release/leaver /usr/local/bin/leaver
ENV LEAVER_CONFIG=/etc/leaver/leaver.toml
EXPOSE 8080 8081
# A worker alone listens nowhere: switch the check off there.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["/usr/local/bin/leaver", "health"]
ENTRYPOINT ["/usr/local/bin/leaver"]
CMD ["serve"]
