#!/bin/bash
# Installs Tradewind on a host of a TPU slice and runs it as systemd services. It runs as root at every boot of every
# host, and does again only what has changed. A slice of one host runs `tradewind serve`; of several, each host runs
# its process of the engine, and the first one the gateway too.
#
# What it needs it asks the metadata server: tradewind-release and tradewind-environment, which Terraform wrote, and
# agent-worker-number and worker-network-endpoints, which the TPU service did.
set -euo pipefail

ROOT=${DESTDIR:-} # another root, for tests
INSTALLED=/opt/tradewind
METADATA=http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance
STORAGE=${STORAGE_EMULATOR_HOST:-https://storage.googleapis.com}

GATEWAY_PORT=8000
ENGINE_PORT=9100
COORDINATOR_PORT=8482 # 8476 belongs to libtpu

metadata() {
  curl --fail --silent --show-error --retry 10 --retry-connrefused --header 'Metadata-Flavor: Google' "$METADATA/$1"
}

# download gs://BUCKET/OBJECT FILE
download() {
  local token
  token=$(metadata service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl --fail --silent --show-error --location --retry 10 --retry-connrefused \
    --header "Authorization: Bearer $token" --output "$2" "$STORAGE/${1#gs://}"
}

# install_release gs://BUCKET/FOLDER/VERSION: the release in a folder of its own, which `current` then points to.
install_release() {
  local release=$1 version=${1##*/}
  local folder=$ROOT$INSTALLED/$version wheel=tradewind-$version-py3-none-any.whl
  if [[ ! -e $folder/complete ]]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    for file in uv requirements.txt "$wheel"; do
      download "$release/$file" "$folder/$file"
    done
    chmod +x "$folder/uv"
    export UV_PYTHON_INSTALL_DIR=$ROOT$INSTALLED/python UV_NO_CACHE=1
    "$folder/uv" venv --quiet --python 3.12 "$folder/venv"
    "$folder/uv" pip install --quiet --python "$folder/venv/bin/python" \
      --requirement "$folder/requirements.txt" "tradewind[tpu] @ file://$folder/$wheel"
    touch "$folder/complete"
  fi
  ln -sfn "$version" "$ROOT$INSTALLED/current"
}

# unit DESCRIPTION COMMAND: a service as a file for systemd.
unit() {
  cat <<END
[Unit]
Description=$1
Wants=network-online.target
After=network-online.target

[Service]
User=tradewind
EnvironmentFile=/etc/tradewind/environment
ExecStart=$INSTALLED/current/venv/bin/tradewind $2
Restart=always
RestartSec=5
TimeoutStopSec=60
StateDirectory=tradewind
WorkingDirectory=/var/lib/tradewind
LimitMEMLOCK=infinity
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
END
}

# write_services WORKER HOSTS LEADER: the units of this host, by its number, how many there are, and the first one's
# address. Prints their names.
write_services() {
  local worker=$1 hosts=$2 leader=$3 units=$ROOT/etc/systemd/system names=()
  mkdir -p "$units"
  rm -f "$units"/tradewind.service "$units"/tradewind-engine.service
  if ((hosts > 1)); then
    unit "Tradewind engine, process $worker of $hosts" \
      "engine --listen 0.0.0.0:$ENGINE_PORT --coordinator $leader:$COORDINATOR_PORT --process $worker/$hosts" \
      >"$units/tradewind-engine.service"
    names+=(tradewind-engine.service)
  fi
  if ((worker == 0)); then
    local command="serve --host 0.0.0.0 --port $GATEWAY_PORT"
    ((hosts == 1)) || command+=" --engine-address $leader:$ENGINE_PORT"
    unit 'Tradewind' "$command" >"$units/tradewind.service"
    names+=(tradewind.service)
  fi
  echo "${names[*]}"
}

main() {
  local release worker endpoints addresses services
  release=$(metadata attributes/tradewind-release)
  worker=$(metadata attributes/agent-worker-number)
  endpoints=$(metadata attributes/worker-network-endpoints) # unknown:unknown:10.0.0.2,unknown:unknown:10.0.0.3
  endpoints=$(tr , '\n' <<<"$endpoints" | cut -d : -f 3 | tr '\n' ' ')
  read -ra addresses <<<"$endpoints"

  id tradewind &>/dev/null || useradd --system --home-dir /var/lib/tradewind --shell /usr/sbin/nologin tradewind
  mkdir -p "$ROOT/etc/tradewind"
  {
    metadata attributes/tradewind-environment
    printf '\nTRADEWIND_DATA_DIR=/var/lib/tradewind\nHOME=/var/lib/tradewind\n'
  } >"$ROOT/etc/tradewind/environment"

  install_release "$release"
  services=$(write_services "$worker" "${#addresses[@]}" "${addresses[0]}")
  read -ra services <<<"$services"
  systemctl daemon-reload
  systemctl enable "${services[@]}"
  systemctl restart "${services[@]}"
}

main
