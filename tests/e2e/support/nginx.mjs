/** A real nginx with the sample configuration of the docs, its ports replaced. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SAMPLE = new URL('../../../docs/nginx.conf', import.meta.url);
const PORTS = '80[89][0-9]|81[0-2][0-9]';
const START_TIME = 10_000;

/** Replaces a text that must be there, or the sample is not what is tested. */
function replace(text, what, by) {
  if (!text.includes(what)) throw new Error(`the configuration has no ${what}`);
  return text.replaceAll(what, by);
}

const canConnect = (port) => new Promise((done) => {
  const socket = connect(port, '127.0.0.1', () => done(true)).once('error', () => done(false));
  socket.once('connect', () => socket.destroy());
});

/** With the sample configuration: nginx's port, and the manager's. */
export async function startNginx({ port, manager }) {
  let text = replace(readFileSync(SAMPLE, 'utf8'), 'listen 80;', `listen 127.0.0.1:${port};`);
  text = replace(text, '127.0.0.1:4070', `127.0.0.1:${manager}`);
  return runNginx(port, replace(text, PORTS, '[0-9]+'));
}

/** With this configuration, which listens on this port. */
export async function runNginx(port, configuration) {
  const directory = mkdtempSync(join(tmpdir(), 'viderehab-nginx-'));
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ');
  const text = `daemon off; worker_shutdown_timeout 1s; pid ${directory}/pid;\n${replace(configuration, 'http {', `http { ${paths}`)}`;
  writeFileSync(join(directory, 'nginx.conf'), text);
  const child = spawn('/usr/sbin/nginx', ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (part) => (log += part));
  const until = Date.now() + START_TIME;
  while (!(await canConnect(port))) {
    if (Date.now() > until || child.exitCode !== null) throw new Error(`nginx does not start: ${log}`);
    await new Promise((later) => setTimeout(later, 50));
  }
  return {
    async stop() {
      child.kill('SIGQUIT');
      const gone = once(child, 'exit');
      const forced = setTimeout(() => child.kill('SIGKILL'), 3000);
      await gone;
      clearTimeout(forced);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
