# python:3.13-slim of Debian's packages, with python and python3 at the paths of the official image.
ARG BASE
FROM $BASE

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3.13 python3.13-venv \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
    && ln -s /usr/bin/python3.13 /usr/local/bin/python3.13 \
    && ln -s python3.13 /usr/local/bin/python3 \
    && ln -s python3.13 /usr/local/bin/python

ENV LANG=C.UTF-8
LABEL org.opencontainers.image.title="Python 3.13 of Debian's packages" \
      org.opencontainers.image.licenses="PSF-2.0"
CMD ["python3"]
