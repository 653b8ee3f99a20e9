#!/bin/sh
# Asks whether any package of a file of requirements has a known fault: deploy/audit.sh PYTHON REQUIREMENTS
# Exits with 1 where one has. Where nobody can be asked it says "not run", and why, and exits with 0: it is no verdict.
set -u
python=$1 requirements=$2
folder=${AUDIT_FOLDER:-build/audit}
mkdir -p "$folder"

not_run() {
	echo "audit: not run: $1 ($(tail -n 1 "$folder/log" | cut -c 1-300))"
	exit 0
}

# in an environment of its own, as its packages are none of ours
if [ ! -x "$folder/venv/bin/pip-audit" ]; then
	{ "$python" -m venv --clear "$folder/venv" && "$folder/venv/bin/python" -m pip install -qq pip-audit==2.10.1; } \
		>"$folder/log" 2>&1 || { rm -rf "$folder/venv"; not_run "pip-audit cannot be installed"; }
fi

# strict: a package that the service does not know is no package without a fault
if "$folder/venv/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off \
	--requirement "$requirements" >"$folder/found" 2>"$folder/log"; then
	echo "audit: no known fault in the $(grep -c '^[A-Za-z0-9].*==' "$requirements") packages of $requirements"
elif grep -q '^Found [0-9]' "$folder/log"; then
	cat "$folder/log" "$folder/found"
	exit 1
else
	not_run "the advisories cannot be asked"
fi
