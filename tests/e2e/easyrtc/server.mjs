/**
 * The real open-easyrtc server from npm, with the pages of a working directory served as OpenTera's
 * server.js does: `node server.mjs DIRECTORY` prints the URL of a page. A program of its own, since the
 * library keeps timers that nothing ends.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { Server } from 'socket.io';

const easyrtc = createRequire(import.meta.url)('open-easyrtc');
const directory = process.argv[2];

const http = createServer((request, response) => {
  const path = new URL(request.url, 'http://server').pathname;
  const file = path.startsWith('/easyrtc/') ? join('node_modules/open-easyrtc/api', path.slice(8))
    : path === '/users' ? 'protected/index_users.html' : join('static', path);
  try {
    const text = readFileSync(join(directory, file), 'utf8');
    response.setHeader('Content-Type', file.endsWith('.html') ? 'text/html' : 'text/javascript');
    response.end(text.replaceAll('<%= teraplus_port %>', String(http.address().port)));
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => http.listen(0, '127.0.0.1', done));
const { port } = http.address();
const io = new Server(http, { path: `/websocket/${port}/`, allowEIO3: true });
easyrtc.setOption('logLevel', 'none');
const options = { apiEnable: false, demosEnable: false, appIceServers: [] };
easyrtc.listen(null, io, options, (error) => console.log(error ?? `http://127.0.0.1:${port}/users`));
