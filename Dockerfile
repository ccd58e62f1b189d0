# Builds gproxy and puts it, with its modules, into a small image that runs as an ordinary user.
#
#   docker build -t gproxy .
#   docker run -p 8787:8787 -v gproxy:/var/lib/gproxy gproxy
#
# No key is built in. The admin key is made at the first start and printed, or given by GPROXY_ADMIN_KEY or
# GPROXY_ADMIN_KEY_FILE.

FROM debian:12 AS build
WORKDIR /src
COPY packaging/packages.sh packaging/packages.sh
RUN bash -c '. packaging/packages.sh && install_packages "${BUILD_PACKAGES[@]}"' && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DGPROXY_BENCH=OFF \
    && cmake --build --preset release \
    && cmake --install build/release --prefix /usr/local --strip

FROM debian:12
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libfmt9 libpqxx-6.4 libsqlite3-0 libssl3 libuv1 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 -m 0700 /var/lib/gproxy
COPY --from=build /usr/local/bin/gproxy /usr/local/bin/gproxy
COPY --from=build /usr/local/lib/gproxy /usr/local/lib/gproxy

# The database is then sqlite:///var/lib/gproxy/gproxy.db?mode=rwc, with the master key and journals beside it.
ENV GPROXY_DATA_DIR=/var/lib/gproxy
VOLUME /var/lib/gproxy
USER 65532:65532
WORKDIR /var/lib/gproxy
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["gproxy", "health"]
ENTRYPOINT ["gproxy"]
