/** The program under test, on ports of its own, and its RPC. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = new URL('../../../', import.meta.url).pathname;
const BINARY = process.env.VIDEREHAB_BINARY ?? join(ROOT, 'target/release/viderehab');
const START_TIME = 20_000;

/** Below the ports that the system gives to clients. */
const FIRST_PORT = 10_000;
const LAST_PORT = 30_000;
const POOL = 20;

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const isFree = (port) => new Promise((done) => {
  const server = createServer().once('error', () => done(false)).listen(port, '127.0.0.1', () => server.close(() => done(true)));
});

/** The first of so many free ports in a row. */
async function freePool(size) {
  for (;;) {
    const first = FIRST_PORT + Math.floor((Math.random() * (LAST_PORT - FIRST_PORT)) / size) * size;
    const free = await Promise.all(Array.from({ length: size }, (_, at) => isFree(first + at)));
    if (free.every(Boolean)) return first;
  }
}

/** A running viderehab. `stop()` ends it and forgets its data. */
export class Server {
  #child;
  #directory = mkdtempSync(join(tmpdir(), 'viderehab-e2e-'));
  #environment;
  /** What it wrote to its log, for a test that fails. */
  log = '';

  /** @param {Record<string, string>} [settings] more of its environment */
  static async start(settings = {}) {
    const server = new Server();
    await server.begin(settings);
    return server;
  }

  /** As `start`, for those who must stop it also when it does not start. */
  async begin(settings) {
    const size = Number(settings.VIDEREHAB_WEBRTC__MAX_SESSIONS ?? POOL);
    this.pool = await freePool(size);
    this.#environment = {
      PATH: process.env.PATH,
      VIDEREHAB_SERVER__LISTEN: `127.0.0.1:${await freePort()}`,
      VIDEREHAB_WEBRTC__LOCAL_BASE_PORT: String(this.pool),
      VIDEREHAB_WEBRTC__MAX_SESSIONS: String(size),
      ...settings,
    };
    await this.launch();
  }

  /** Starts the program, or starts it again with the same data. */
  async launch() {
    this.#child = spawn(BINARY, ['serve'], { cwd: this.#directory, env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (text) => (this.log += text));
    const lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const line = async () => {
      const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`not ready in time; ${this.log}`)), START_TIME).unref());
      return (await Promise.race([lines.next(), late])).value;
    };
    this.url = (await line()).replace('viderehab ready on ', '');
    this.dashboard = await line();
    this.token = new URL(this.dashboard).searchParams.get('token');
  }

  /** Has it go on as the binary that is there now. */
  async upgrade() {
    const child = spawn(BINARY, ['upgrade'], { cwd: this.#directory, env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] });
    let problem = '';
    child.stderr.on('data', (text) => (problem += text));
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`upgrade: ${problem}`);
  }

  /** How many clients have come back to their seats since the start, or the last upgrade. */
  async resumed() {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/^viderehab_resumes_total\{outcome="resumed"\} (\d+)/m.exec(text)?.[1] ?? 0);
  }

  /** Kills it as a power cut would. */
  async kill() {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  /** Asks it to end, as a deployment would. */
  async drain() {
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  async stop() {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A `session_manage` call; the reply's session. */
  async manage(action, members) {
    const response = await fetch(`${this.url}/rpc/session_manage`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ session_manage: { action, ...members } }),
    });
    const reply = await response.json();
    if (!response.ok) throw new Error(`${action}: ${response.status} ${reply.error_text}`);
    return reply.session;
  }

  /** A session with these participants besides the user `ann`; `url(uuid)` is an invitee's link. */
  async session(...participants) {
    const session = await this.manage('start', { id_session: 0, session_users: ['ann'], session_participants: participants });
    return new Session(session);
  }
}

/** The reply to a start, and what follows from it. */
export class Session {
  constructor(reply) {
    this.id = reply.id_session;
    this.key = reply.session_key;
    this.invitees = reply.session_invitees;
    this.port = Number(new URL(reply.session_url_users).pathname.split('/')[2]);
  }

  url(uuid) {
    return this.invitees.find((invitee) => invitee.uuid === uuid).url;
  }

  keyOf(uuid) {
    return new URL(this.url(uuid)).searchParams.get('key');
  }
}
