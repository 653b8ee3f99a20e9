#!/bin/bash
# Builds the base images from Debian's packages, under the names of the official ones, for use without an image registry.
set -euo pipefail

SUITE=${DEBIAN_SUITE:-trixie}
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
KEYRING=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
BASE=waferline/debian:$SUITE
IMAGES=(python:3.13-slim redis:8 postgres:17)
HERE=$(cd "$(dirname "$0")" && pwd)

usage() {
    cat <<END
usage: deploy/airgap/build.sh [--again] [--monitoring] [--help]

Builds $(listed), as root, by debootstrap and docker build.
A few minutes in all. An image that docker already has under these names, official or not, stays as it is.

  --again        build existing images anew, from the packages of today
  --monitoring   Prometheus, too
  --help         this

The settings, from the environment:
  DEBIAN_SUITE            $SUITE
  DEBIAN_MIRROR           $MIRROR
  DEBIAN_SECURITY_MIRROR  $SECURITY_MIRROR
  DEBIAN_KEYRING          $KEYRING: the keys that the mirror must have signed with
END
}

listed() { printf '%s, %s and %s' "${IMAGES[@]}"; }

stop() { echo "airgap: $*" >&2; exit 1; }

is_there() { docker image inspect "$1" >/dev/null 2>&1; }

# Print a step and its duration; the output of its command only if it fails.
step() {
    local title=$1 began=$SECONDS
    shift
    printf '%s ... ' "$title"
    "$@" >"$WORK/log" 2>&1 || { echo failed; tail -n 30 "$WORK/log" >&2; stop "$title failed, see above; then run this again"; }
    echo "$((SECONDS - began)) s"
}

make_base() {
    local root=$WORK/root sources=$WORK/root/etc/apt/sources.list.d/debian.sources
    # a wrong signature, or a missing key, ends the build
    debootstrap --variant=minbase --force-check-gpg --keyring="$KEYRING" "$SUITE" "$root" "$MIRROR"
    cp "$HERE/slim.cfg" "$root/etc/dpkg/dpkg.cfg.d/slim"
    rm "$root/etc/apt/sources.list"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n' \
        "$MIRROR" "$SUITE $SUITE-updates" "$SECURITY_MIRROR" "$SUITE-security" >"$sources"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    chroot "$root" apt-get update
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get upgrade --yes
    # files installed before slim.cfg
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    find "$root/usr/share/doc" -type d -empty -delete
    rm -rf "$root"/usr/share/{man,info,locale,lintian}/* "$root"/var/cache/{apt,debconf}/* "$root"/var/lib/apt/lists/* \
        "$root"/var/log/* "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/machine-id"
    tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' \
        --change "LABEL org.opencontainers.image.title='Debian $SUITE, minimal'" - "$BASE"
    rm -rf "$root"
}

make_image() { # host's network: a build then reaches a mirror wherever this script does
    docker build --network host --build-arg BASE="$BASE" --file "$HERE/${1%%:*}.Dockerfile" --tag "$2" "$HERE"
}

AGAIN=no
for argument in "$@"; do
    case $argument in
        --again) AGAIN=yes ;;
        --monitoring) IMAGES+=(prom/prometheus:v2.53.3) ;;
        --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done

missing=()
for image in "${IMAGES[@]}"; do
    if [ $AGAIN = no ] && is_there "$image"; then echo "$image exists"; else missing+=("$image"); fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

[ "$(id -u)" = 0 ] || stop "debootstrap needs root: sudo $0"
command -v debootstrap >/dev/null || stop "debootstrap is missing: apt-get install debootstrap"
[ -r "$KEYRING" ] || stop "no keys at $KEYRING: apt-get install debian-archive-keyring, or name them with DEBIAN_KEYRING"
docker info >/dev/null 2>&1 || stop "docker does not answer: start it, or get the right to use it"

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
if [ $AGAIN = yes ] || ! is_there "$BASE"; then
    step "$BASE: debootstrap from $MIRROR, about half a minute" make_base
fi
for image in "${missing[@]}"; do
    name=${image##*/}
    step "$image: Debian's packages, up to a minute" make_image "$name" "$image"
done
docker image ls --format 'table {{.Repository}}:{{.Tag}}\t{{.Size}}' | grep -F -e REPOSITORY -e "$BASE" "${IMAGES[@]/#/-e}"
