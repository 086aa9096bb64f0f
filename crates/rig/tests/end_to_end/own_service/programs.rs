//! Programs that stand behind the balancer, and the scenario about them.

use testing::Sandbox;

/// The server of `examples/own-service`, with what tests need beside it. `END` is what it does at SIGTERM.
pub(super) const PYTHON: &str = "
      command: [python3, testing.py, '{host}', '{port}', END]
      versions: [v1, v2]
      ready: { path: /healthz, within: 20s }
      identity_header: X-Version";

/// nginx, which serves a file. `SIGNAL` is what ends it.
pub(super) const NGINX: &str = "
      command: [sh, static.sh, '{host}', '{port}', '{backend}.{generation}.{port}']
      ready: { path: /healthz, within: 20s }
      stop_signal: SIGNAL";

/// The same in containers.
pub(super) const IMAGE: &str = "
      image: NAME
      command: [python3, /server.py, '{host}', '{port}', exit]
      versions: [v1, v2]
      ready: { path: /healthz, within: 20s }
      identity_header: X-Version";

/// The server of `examples/own-service`.
pub(super) const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/own-service/server.py");

/// As `server.py`, with ways to misbehave.
const TESTING: &str = "
import os, subprocess, sys, time
host, port, way = sys.argv[1:]
version = os.environ['VERSION']
if version == 'broken':
    sys.exit('this version is broken')
if way == 'deaf':
    time.sleep(60)
print(version, 'listens', flush=True)
if way == 'stubborn':
    import signal
    child = subprocess.Popen(['sleep', '600'])
    with open('pids', 'a') as pids:
        pids.write(f'{os.getpid()}\\n{child.pid}\\n')
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
import asyncio, server
if way == 'stubborn':
    way, server.LINGER = 'linger', 600
asyncio.run(server.main(host, port, way))
";

/// A response takes 75 ms, in four pieces: a fast shutdown cuts it off.
const STATIC: &str = r#"
set -e
mkdir -p "run-$3"
head -c 20000 /dev/zero > "run-$3/file"
echo ok > "run-$3/healthz"
cat > "run-$3/nginx.conf" <<END
daemon off; user root; pid nginx.pid; error_log stderr; worker_processes 2;
events {}
http {
  access_log off;
  server { listen $1:$2; root $PWD/run-$3; sendfile on; sendfile_max_chunk 5k; location = /file { limit_rate 200k; } }
}
END
exec nginx -p "$PWD/run-$3" -c nginx.conf
"#;

/// The files of the programs.
pub(super) fn write(rig: &Sandbox) {
    rig.write("server.py", std::fs::read_to_string(SERVER).unwrap());
    rig.write("testing.py", TESTING);
    rig.write("static.sh", STATIC);
}

/// A deploy of `program`, which is the keys of a pool.
pub(super) fn scenario(program: &str) -> String {
    let path = if program.contains("static.sh") { "/file" } else { "/" };
    format!(
        "
name: own
question: What does a deploy of a service of the user's cost?
topology:
  pools:
    web:
      backends: 2{program}
  routes: {{ all: {{ path: /, to: web }} }}
  health_check: {{ path: /healthz, every: 500ms, timeout: 250ms, fall: 2, rise: 1 }}
load: {{ rate: 300/s, for: 8s, warmup: 500ms, timeout: 1s, path: {path} }}
timeline:
  rollout: {{ at: 1s, deploy: {{ pool: web, drain: 1500ms }} }}
variants:
  without-drain: {{ timeline: {{ rollout: {{ deploy: {{ drain: off }} }} }} }}
  with-drain: {{}}
control: [ without-drain.dropped > 0 ]
expect: [ with-drain.dropped == 0 ]
"
    )
}
