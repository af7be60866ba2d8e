/** A real coturn, which checks time-limited credentials by their shared secret. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from './server.mjs';

const START_TIME = 10_000;

/** Starts one on this machine alone; `url` is what browsers are told. */
export async function startCoturn(secret) {
  const directory = mkdtempSync(join(tmpdir(), 'viderehab-coturn-'));
  const port = await freePort();
  const options = [
    '-n', '--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=viderehab', '--listening-ip=127.0.0.1',
    `--listening-port=${port}`, '--relay-ip=127.0.0.1', '--allow-loopback-peers', '--no-tls', '--no-dtls', '--no-cli',
    '--no-stdout-log', `--pidfile=${join(directory, 'pid')}`, `--log-file=${join(directory, 'log')}`, '--simple-log',
    `--userdb=${join(directory, 'users')}`,
  ];
  const child = spawn('/usr/bin/turnserver', options, { cwd: directory, stdio: 'ignore' });
  const until = Date.now() + START_TIME;
  while (!(await answers(port))) {
    if (Date.now() > until || child.exitCode !== null) throw new Error('coturn does not start');
    await new Promise((later) => setTimeout(later, 50));
  }
  return {
    url: `turn:127.0.0.1:${port}?transport=udp`,
    async stop() {
      child.kill();
      await once(child, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Whether a STUN binding request is answered. */
async function answers(port) {
  const socket = createSocket('udp4');
  const request = Buffer.from('000100002112a442' + '01'.repeat(12), 'hex');
  try {
    return await new Promise((done) => {
      socket.once('message', () => done(true)).once('error', () => done(false));
      socket.send(request, port, '127.0.0.1');
      setTimeout(() => done(false), 200);
    });
  } finally {
    socket.close();
  }
}
