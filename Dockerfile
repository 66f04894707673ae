# Builds the programs in one stage and carries only them and the roots of TLS into the next.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --locked --release --package leaver --bin leaver \
 && cargo build --locked --release --package leaver-simulator --bin leaver-simulator

FROM debian:bookworm-slim AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Not root, and nothing is written: the root file system can be read-only.
USER 65532:65532

# The simulator, for trying things out; never in the service's image.
FROM base AS simulator
COPY --from=build /build/target/release/leaver-simulator /usr/local/bin/leaver-simulator
ENV LEAVER_SIMULATOR_LISTEN=0.0.0.0:9100
EXPOSE 9100
ENTRYPOINT ["/usr/local/bin/leaver-simulator"]

FROM base AS service
COPY --from=build /build/target/release/leaver /usr/local/bin/leaver
ENV LEAVER_CONFIG=/etc/leaver/leaver.toml
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/leaver"]
CMD ["serve"]
