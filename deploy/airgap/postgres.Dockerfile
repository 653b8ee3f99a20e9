# postgres:17 of Debian's packages; postgres-entrypoint.sh understands the official image's settings that we use.
# It differs in that it never is root: a volume of another user's must be given to uid 999 before.
ARG BASE
FROM $BASE

# before the package would choose the ids: a volume that the official image made belongs to the same user
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
# a smart stop would wait for its clients; INT ends their sessions and stops clean
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
