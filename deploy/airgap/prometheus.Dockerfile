# prom/prometheus of Debian's package, with the user and the paths of the official image.
ARG BASE
FROM $BASE

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends prometheus \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
    && install -d -o nobody -g nogroup /prometheus

LABEL org.opencontainers.image.title="Prometheus of Debian's packages" \
      org.opencontainers.image.licenses="Apache-2.0"
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
