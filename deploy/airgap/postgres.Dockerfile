# postgres:17 of Debian's packages; postgres-entrypoint.sh supports the official image's settings that we use.
# Unlike the official image it never runs as root: a volume of another user must first be given to uid 999.
ARG BASE
FROM $BASE

# before the package chooses the ids, so that a volume of the official image belongs to the same user
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install -d /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql-17 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
    && sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" /usr/share/postgresql/17/postgresql.conf.sample \
    && install -d /docker-entrypoint-initdb.d \
    && install -d -o postgres -g postgres -m 3777 /run/postgresql \
    && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data

COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV LANG=C.UTF-8 PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
LABEL org.opencontainers.image.title="PostgreSQL 17 of Debian's packages" \
      org.opencontainers.image.licenses="PostgreSQL"
USER postgres
VOLUME /var/lib/postgresql/data
EXPOSE 5432
# a smart shutdown would wait for clients; INT ends their sessions and stops cleanly
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
