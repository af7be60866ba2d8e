/**
 * What an OpenTera site has besides its VideoRehab service: a real Redis, a real nginx with its two
 * location rules, and a stand-in for the server's REST API, since the server itself cannot run here.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runNginx } from './nginx.mjs';
import { freePort } from './server.mjs';

/** The key of every kind of token. */
const TOKEN_KEY = '0123456789abcdefghijklmnopqrstuv';
const SERVICE_UUID = 'cccccccc-0000-4000-8000-000000000006';
const START_TIME = 10_000;

const later = (time) => new Promise((done) => setTimeout(done, time));

/** A connection to Redis: commands by `ask`, and what is published by `heard`. */
class Redis {
  #socket;
  #waiting = [];
  #rest = Buffer.alloc(0);
  heard = [];

  static async connect(port) {
    const redis = new Redis();
    redis.#socket = connect(port, '127.0.0.1');
    await once(redis.#socket, 'connect');
    redis.#socket.on('data', (part) => redis.#received(part));
    redis.#socket.on('error', () => {});
    return redis;
  }

  ask(...words) {
    const bulk = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    const parts = bulk.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n')]);
    this.#socket.write(Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]));
    return new Promise((done) => this.#waiting.push(done));
  }

  close() {
    this.#socket.destroy();
  }

  #received(part) {
    this.#rest = Buffer.concat([this.#rest, part]);
    for (let read = parse(this.#rest, 0); read; read = parse(this.#rest, 0)) {
      this.#rest = this.#rest.subarray(read.end);
      const [kind, , topic, payload] = Array.isArray(read.value) ? read.value.map(String) : [];
      if (kind === 'pmessage') this.heard.push({ topic, payload: read.value[3] ?? payload });
      else this.#waiting.shift()?.(read.value);
    }
  }
}

/** One value of Redis's protocol, if it is whole. */
function parse(bytes, at) {
  const line = bytes.indexOf('\r\n', at);
  if (line < 0) return null;
  const head = bytes.toString('utf8', at + 1, line);
  const start = line + 2;
  switch (String.fromCharCode(bytes[at])) {
    case '$': {
      const length = Number(head);
      if (length < 0) return { value: null, end: start };
      return bytes.length < start + length + 2 ? null : { value: bytes.subarray(start, start + length), end: start + length + 2 };
    }
    case '*': {
      const value = [];
      let end = start;
      for (let count = Number(head); count > 0; count -= 1) {
        const read = parse(bytes, end);
        if (!read) return null;
        value.push(read.value);
        ({ end } = read);
      }
      return { value, end };
    }
    default:
      return { value: head, end: start };
  }
}

/** A protobuf field of bytes; lengths here fit two bytes. */
function field(number, content) {
  const bytes = Buffer.from(content);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

/** The first field of a number in a message, if it is bytes. */
function fieldOf(message, wanted) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7) === 0) varint();
    else if ((tag & 7) === 1) at += 8;
    else {
      const length = varint();
      if (tag >> 3 === wanted) return message.subarray(at, at + length);
      at += length;
    }
  }
  return null;
}

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with these claims. */
export function token(claims) {
  const text = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
  return `${text}.${createHmac('sha256', TOKEN_KEY).update(text).digest('base64url')}`;
}

/** The site. `server` is set by who starts the service, whose settings are in `settings`. */
export class Site {
  #directory = mkdtempSync(join(tmpdir(), 'viderehab-site-'));
  #children = [];
  #sockets = [];
  #api;
  #nginx;
  #redis;
  /** What is answered to calls beyond the service's own: method and path → JSON. */
  answers = {};

  static async start() {
    const site = new Site();
    const [redisPort, port] = [await freePort(), await freePort()];
    site.port = port;
    const file = (name) => join(site.#directory, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
      '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'ignore' });
    site.#children.push(spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' }));
    site.#redis = await connected(redisPort);
    for (const name of ['Service', 'User', 'Participant', 'ParticipantStatic', 'Device', 'DeviceStatic']) {
      await site.#redis.ask('SET', `${name}TokenAPIKey`, TOKEN_KEY);
    }
    await site.#redis.ask('SET', 'service.VideoRehabService', JSON.stringify({ service_uuid: SERVICE_UUID, service_key: 'VideoRehabService', service_port: 4070 }));
    site.listener = await Redis.connect(redisPort);
    await site.listener.ask('PSUBSCRIBE', '*');
    await site.#serveApi(file);
    site.certificates = { key: file('key.pem'), certificate: file('cert.pem') };
    site.settings = {
      VIDEREHAB_OPENTERA__REDIS__PORT: String(redisPort),
      VIDEREHAB_OPENTERA__BACKEND__PORT: String(port),
      VIDEREHAB_OPENTERA__BACKEND__CA_FILE: file('cert.pem'),
      VIDEREHAB_WEBRTC__EXTERNAL_PORT: String(port),
    };
    return site;
  }

  /** The proxy, once the service's port is known. */
  async serve(servicePort) {
    this.#nginx = await runNginx(this.port, openTeraRules({ port: this.port, servicePort, api: this.#api.address().port, ...this.certificates }));
  }

  /** A call over Redis, as the server makes it; the returned value. */
  async call(method, argument) {
    const replyTo = `RedisRPCClient.${Math.random()}`;
    const text = typeof argument === 'string' ? argument : JSON.stringify(argument);
    const call = Buffer.concat([field(1, method), field(2, replyTo), field(5, field(7, text))]);
    await this.#redis.ask('PUBLISH', 'service.VideoRehabService.rpc', call);
    return JSON.parse(String(await this.on(replyTo))).return_value;
  }

  /** The session URL of somebody's next invitation. */
  async invitation(role, uuid) {
    const event = fieldOf(fieldOf(await this.on(`websocket.${role}.${uuid}.events`), 2), 2);
    return String(fieldOf(event, 1));
  }

  /** Says an event to whoever is on the server's websocket, as the server does. */
  say(type, event) {
    const text = Buffer.from(JSON.stringify({ message: { events: [{ '@type': `type.googleapis.com/opentera.protobuf.${type}`, ...event }] } }));
    const head = Buffer.from([0x81, ...(text.length < 126 ? [text.length] : [126, text.length >> 8, text.length & 255])]);
    for (const socket of this.#sockets) socket.write(Buffer.concat([head, text]));
  }

  /** How many are on the server's websocket. */
  get listeners() {
    return this.#sockets.filter((socket) => !socket.destroyed).length;
  }

  /** Closes the server's websockets, with a code. */
  hangUp(code) {
    for (const socket of this.#sockets.splice(0)) socket.end(Buffer.from([0x88, 2, code >> 8, code & 255]));
  }

  /** What is published next on a topic. */
  async on(topic) {
    const until = Date.now() + START_TIME;
    for (;;) {
      const at = this.listener.heard.findIndex((heard) => heard.topic === topic);
      if (at >= 0) return this.listener.heard.splice(at, 1)[0].payload;
      if (Date.now() > until) throw new Error(`nothing on ${topic}`);
      await later(20);
    }
  }

  async stop() {
    this.#redis.close();
    this.listener.close();
    await this.#nginx?.stop();
    for (const socket of this.#sockets) socket.destroy();
    this.#api.closeAllConnections();
    this.#api.close();
    for (const child of this.#children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The stand-in of the server: sessions and events are taken as they come. */
  async #serveApi(file) {
    const sessions = new Map();
    const answer = ({ method, url }, body) => {
      const other = this.answers[`${method} ${url.split('?')[0]}`];
      if (other) return typeof other === 'function' ? other(url, body) : other;
      if (body?.session_event) return [body.session_event];
      const id = body?.session?.id_session || Number(url.split('id_session=')[1]?.split('&')[0]) || sessions.size + 1;
      if (!sessions.has(id)) {
        sessions.set(id, { id_session: id, session_uuid: `eeeeeeee-0000-4000-8000-${String(id).padStart(12, '0')}`, session_name: 'Walking', session_duration: 0, session_status: 1 });
      }
      return [sessions.get(id)];
    };
    const options = { key: readFileSync(file('key.pem')), cert: readFileSync(file('cert.pem')) };
    this.#api = createServer(options, async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(answer(request, text ? JSON.parse(text) : null)));
    });
    // The server's own websocket, as far as it goes: what is said goes one way.
    this.#api.on('upgrade', ({ headers }, socket) => {
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      socket.on('error', () => {});
      this.#sockets.push(socket);
    });
    this.#api.listen(0, '127.0.0.1');
    await once(this.#api, 'listening');
  }
}

/** A connection to a Redis that is starting. */
async function connected(port) {
  for (const until = Date.now() + START_TIME; ; await later(20)) {
    try {
      return await Redis.connect(port);
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

/** The server section of OpenTera's own configuration, its ports replaced. */
function openTeraRules({ port, servicePort, api, key, certificate }) {
  const headers = `
        proxy_set_header X-ExternalPort ${port};
        proxy_set_header X-ExternalHost 127.0.0.1;
        proxy_set_header X_ExternalServer $server_name;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Scheme $scheme;`;
  return `events {} http { access_log off;
    underscores_in_headers on;
    server {
      listen 127.0.0.1:${port} ssl;
      server_name 127.0.0.1;
      ssl_certificate ${certificate};
      ssl_certificate_key ${key};
      location /rehab/ {
        proxy_pass http://127.0.0.1:${servicePort}/;${headers}
        proxy_set_header X-Script-Name /rehab;
      }
      location ~ ^/webrtc/([0-9]+)/(.*)$ {
        proxy_pass http://127.0.0.1:$1/$2$is_args$args;${headers}
        proxy_set_header X-Script-Name /webrtc/;
      }
      location ~ ^/websocket/([0-9]+)/(.*)$ {
        proxy_pass http://127.0.0.1:$1/websocket/$1/$2$is_args$args;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";${headers}
      }
      location /wss {
        proxy_pass https://127.0.0.1:${api};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";${headers}
      }
      location / {
        proxy_pass https://127.0.0.1:${api};${headers}
      }
    }
  }`;
}
