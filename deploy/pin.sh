#!/bin/sh
# Writes the digests of the images that a registry now has under our tags: deploy/pin.sh FILE SETTING=IMAGE ...
# The file is one of make: what runs from then on is these very images, whatever becomes of the tags.
# An image without a digest was built on this machine (make base-images); it stays as it is.
set -eu
file=$1
shift

{
	echo "# The images by digest, as \`make pin\` found them; remove this file to go by tag again."
	for each in "$@"; do
		setting=${each%%=*} image=${each#*=}
		docker pull --quiet "$image" >/dev/null 2>&1 || echo "pin: $image cannot be pulled: the one on this machine" >&2
		digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" 2>/dev/null \
			| sed -n 's/.*@//p' | head -n 1)
		if [ -n "$digest" ]; then
			echo "export $setting := $image@$digest"
		else
			echo "pin: $image has no digest: it stays as it is" >&2
		fi
	done
} >"$file.part"
mv "$file.part" "$file"
echo "pin: $(grep -c '^export' "$file" || true) of $# images by digest in $file"
