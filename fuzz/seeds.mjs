// Makes the first inputs of the targets from the recorded conversations in tests/vectors: what was
// said on the wire, each text once, into seeds/<folder>/. Run by ./run.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const VECTORS = fileURLToPath(new URL("../tests/vectors/", import.meta.url));
const SEEDS = fileURLToPath(new URL("seeds/", import.meta.url));
// Longer ones teach little and cost much.
const MOST_BYTES = 2048;
// An object with one of these is a message; others are the recordings' own.
const TELLING = ["Header", "msgType", "session_manage", "id_session", "session_uuid"];


// Every text in a recording but names and times, what is written in hex as bytes, and every message as JSON.
function* parts(value, key) {
    if (typeof value === "string") {
        if (key === "hex") yield Buffer.from(value, "hex");
        else if (/^[^<]*[[{/:]/.test(value)) yield Buffer.from(value);
    } else if (value && typeof value === "object") {
        if (TELLING.some((name) => name in value)) yield Buffer.from(JSON.stringify(value));
        for (const [name, member] of Object.entries(value)) yield* parts(member, name);
    }
}

function write(folder, bytes) {
    mkdirSync(SEEDS + folder, { recursive: true });
    const path = `${SEEDS}${folder}/${createHash("sha1").update(bytes).digest("hex")}`;
    if (!existsSync(path)) writeFileSync(path, bytes);
}

// A client's frame, masked, behind the byte that says how the bytes are divided.
function frame(payload, opcode = 0x81) {
    const length = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
    const mask = [0x37, 0xfa, 0x21, 0x3d];
    return Buffer.from([opcode, ...length, ...mask, ...payload.map((byte, at) => byte ^ mask[at % 4])]);
}

for (const folder of ["videre", "sockjs", "easyrtc", "opentera"]) {
    for (const file of readdirSync(VECTORS + folder).filter((name) => name.endsWith(".json"))) {
        for (const bytes of parts(JSON.parse(readFileSync(`${VECTORS}${folder}/${file}`, "utf8")))) {
            if (bytes.length <= MOST_BYTES) write(folder, bytes);
            if (folder === "videre" && bytes.length <= 1000) write("websocket", Buffer.concat([Buffer.from([3]), frame(bytes)]));
        }
    }
}

// In two fragments with a ping between them, and then a close.
write("websocket", Buffer.concat([
    Buffer.from([0]), frame(Buffer.from("caf\u00c3"), 0x01), frame(Buffer.from("!"), 0x89), frame(Buffer.from("\u00a9"), 0x80),
    frame(Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]), 0x88),
]));
write("config", readFileSync(new URL("../config.toml", import.meta.url)));
write("config", Buffer.from("SERVER__LISTEN=[::1]:9\nWEBRTC__MAX_SESSIONS=7\nOPENTERA__REDIS__PORT=6380\n"));
write("config", Buffer.from(JSON.stringify({
    Service: { name: "VideoRehabService", hostname: "127.0.0.1", port: 4070, debug_mode: true },
    Backend: { hostname: "127.0.0.1", port: 40075 },
    Redis: { hostname: "127.0.0.1", port: 6379, db: 0, username: "", password: "" },
    WebRTC: {
        hostname: "127.0.0.1", external_port: 40100, local_base_port: 8080, max_sessions: 50,
        working_directory: "../../../easyrtc", executable: "node", script: "server.js", colour: "red",
    },
})));
