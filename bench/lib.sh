# shellcheck shell=bash disable=SC2034,SC2154
# What the scripts of bench/ share; they source it in the project's folder. Wants $work, a temporary
# folder of the script's own.

say() { echo "$0: $*" >&2; }
have() { command -v "$1" >/dev/null; }

# need COMMAND PACKAGE: installs what is not there; a failure is no more than a gap in the tables.
need() {
  have "$1" && return
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    have sudo || { say "no $1: not root, and no sudo to install $2 with; left out"; return; }
    sudo=(sudo)
  fi
  say "installing $2"
  { "${sudo[@]}" apt-get update -qq &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null 2>&1 || true
  have "$1" || say "no $1: $2 could not be installed; left out"
}

# Sets $nbatch to the program to measure, which is built where none was named.
choose_nbatch() {
  if [ -z "$nbatch" ]; then
    nbatch=build/release/nbatch
    say "building $nbatch"
    { .ci/install build && cmake --preset release && cmake --build --preset release; } >&2
  fi
  [ -x "$nbatch" ] || { say "$nbatch is no program"; exit 2; }
}

# Debian's python3 itself, not a wrapper that may stand before it in PATH.
choose_python() {
  python=/usr/bin/python3
  [ -x "$python" ] || need python3 python3
  [ -x "$python" ] || python=$(command -v python3) ||
    { say "no python3, which does the measuring"; exit 1; }
}

free_port() {
  "$python" -IS -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_nginx: one static answer for every request, as the platform's, on the first core that we
# have; where $tls is set, over TLS 1.3 with $work/cert.pem. Sets $url. stop_nginx ends it.
start_nginx() {
  local port folder=$work/nginx nginx speaks=
  nginx=$(command -v nginx || echo /usr/sbin/nginx)
  mkdir "$folder"
  port=$(free_port)
  url=http${tls:+s}://127.0.0.1:$port
  [ -z "${tls:-}" ] || speaks=" ssl; ssl_protocols TLSv1.3; ssl_session_cache shared:s:1m;
    ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem"
  cat >"$folder/nginx.conf" <<END
daemon off; worker_processes 1; pid $folder/pid; error_log $folder/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi; uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$port backlog=4096$speaks;
    location / {
      default_type application/json;
      return 200 '{"errno":0,"error":"succ","data":{"uuid":"42742677-adc3-54ca-\$connection-\$connection_requests"}}';
    }
  }
}
END
  taskset -c "$("$python" -IS -c 'import os; print(min(os.sched_getaffinity(0)))')" \
    "$nginx" -c "$folder/nginx.conf" -p "$folder" -e "$folder/error.log" &
  nginx_pid=$!
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.05
  done
  say "nginx does not answer"
  exit 1
}

stop_nginx() {
  if [ -n "${nginx_pid:-}" ]; then
    kill "$nginx_pid" 2>/dev/null || true
    wait "$nginx_pid" 2>/dev/null || true
    nginx_pid=
  fi
}
