#!/usr/bin/env bash
# Runs a command with a Docker of its own, for the tests that need one: `scripts/with-docker.sh npx tap FILE`. Needs root
# on Debian with docker.io and debootstrap. The daemon lives in a temporary folder, touches no firewall and makes no
# bridge, so its containers run on the host's network. The base image comes from Debian's packages, not from a registry.
# When the command ends everything is gone; the exit code is the command's.
set -euo pipefail

: "${1:?usage: scripts/with-docker.sh COMMAND [ARGUMENT]...}"
for tool in docker dockerd debootstrap unshare; do
  command -v "$tool" >/dev/null || { echo "with-docker: $tool is missing: apt install docker.io debootstrap" >&2; exit 69; }
done

folder=$(mktemp -d /tmp/edgeward-docker.XXXXXX)
cgroup=edgeward-docker-$$
daemon=
command=
# What a daemon makes outside its folder, and only what was not there before.
outside=()
for path in /etc/docker /opt/containerd /run/containerd /run/docker; do
  [ -e "$path" ] || outside+=("$path")
done

ended() { ! kill -0 "$daemon" 2>/dev/null; }

clean() {
  if [ -n "$command" ]; then
    kill "$command" 2>/dev/null || true
    wait "$command" 2>/dev/null || true
  fi
  if [ -n "$daemon" ]; then
    # What a command left that was killed: Docker keeps the bridges of its networks when it ends.
    networks=$(timeout 20 docker --host "unix://$folder/docker.sock" network ls --quiet --filter driver=bridge 2>/dev/null || true)
    kill "$daemon" 2>/dev/null || true
    for _ in $(seq 150); do ended && break; sleep 0.1; done
    ended || kill -KILL "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    for network in $networks; do ip link delete "br-$network" 2>/dev/null || true; done
  fi
  # A cgroup is only ever an empty folder here, and the innermost goes first.
  find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2>/dev/null || true
  rm -rf --one-file-system "$folder" "${outside[@]}"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "with-docker: $1" >&2
  tail -n 20 "$2" >&2
  exit 69
}

# In a mount namespace of its own, so that no mount outlives it.
unshare --mount --propagation private dockerd --data-root "$folder/data" --exec-root "$folder/exec" \
  --pidfile "$folder/docker.pid" --host "unix://$folder/docker.sock" \
  --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$cgroup" \
  --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
  >"$folder/dockerd.log" 2>&1 </dev/null &
daemon=$!
export DOCKER_HOST="unix://$folder/docker.sock"
unset DOCKER_CONTEXT

base=$("$(dirname "$0")/base-image.sh" 2>"$folder/base-image.log") || fail 'debootstrap made no base image' "$folder/base-image.log"

for _ in $(seq 300); do
  docker version >/dev/null 2>&1 && break
  ended && fail 'dockerd ended' "$folder/dockerd.log"
  sleep 0.1
done
docker version >/dev/null 2>&1 || fail 'dockerd does not answer' "$folder/dockerd.log"

docker import "$base" debian:trixie-slim >/dev/null

# Not in the foreground, where bash would let it finish before it ends itself.
"$@" <&0 &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
