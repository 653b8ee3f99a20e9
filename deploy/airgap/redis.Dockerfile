# redis:8 of Debian's packages. Unlike the official image it never runs as root, and keeps Redis' own default of
# protected-mode: without a password or an ACL it answers its own container only.
ARG BASE
FROM $BASE

# before the package chooses the ids, so that a volume of the official image belongs to the same user
RUN groupadd --system --gid 999 redis \
    && useradd --system --uid 999 --gid redis --home-dir /var/lib/redis --no-create-home redis \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends redis-server redis-tools \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
    && install -d -o redis -g redis /data

LABEL org.opencontainers.image.title="Redis 8 of Debian's packages" \
      org.opencontainers.image.licenses="AGPL-3.0-only"
USER redis
WORKDIR /data
VOLUME /data
EXPOSE 6379
CMD ["redis-server"]
