// A gate controller, written from docs/protocol.md and docs/gate.md alone. It keeps nothing on disk: after a restart it
// does not know whom it let in, which `platefleet gate run` does.
// Usage: node controller.mjs mqtt://host:1883 DEVICE LANE file-of-plates file-of-openings [age limit in ms]
import { appendFileSync, readFileSync } from "node:fs";
import mqtt from "mqtt";
import { decode, encode } from "@msgpack/msgpack";

const [url, device, lane, list, openings, limit = 5000] = process.argv.slice(2);
const allowed = new Set(readFileSync(list, "utf8").split(/\s+/).filter(Boolean));
const [gate, sent, acted, left, openedAt] = [`gate-of-${device}`, new Map(), new Set(), new Set(), new Map()];
let n = 1 + Math.floor(Math.random() * 2 ** 40);

const shift = (crc) => (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
const crc32 = (bytes) => ~bytes.reduce((crc, byte) => [1, 2, 3, 4, 5, 6, 7, 8].reduce(shift, crc ^ byte), -1) >>> 0;

function judge(live) {
  const [, , type, crc, body] = decode(live.record);
  if (live.version !== 1 || type !== "plate" || crc32(body) !== crc) return;
  const event = decode(body, { useBigInt64: true });
  if (event.version !== 1 || event.lane !== lane) return;
  if (event.final) return void left.add(event.pass);
  const heard = live.heard?.[gate], now = performance.now();
  const age = sent.has(heard?.n) ? live.age_ms + Math.max(0, now - sent.get(heard.n) - heard.held_ms) : Infinity;
  if (!(age < limit) || event.unread || event.direction === "receding" || !allowed.has(event.text)) return;
  if (acted.has(event.pass) || left.has(event.pass) || now - (openedAt.get(event.text) ?? -Infinity) < 15000) return;
  acted.add(event.pass);
  openedAt.set(event.text, now);
  appendFileSync(openings, `${event.text}\n`);
}

const client = mqtt.connect(url, { protocolVersion: 5, clientId: gate });
client.subscribe(`alpr/1/${device}/up/plate`, { qos: 1 });
client.on("message", (_, payload, packet) => {
  try {
    if (!packet.retain) judge(decode(payload));
  } catch (error) {
    console.error("left alone:", error.message); // one malformed message must not end a barrier
  }
});
setInterval(() => {
  sent.set(++n, performance.now()).delete(n - 60);
  client.publish(`alpr/1/${device}/down/beat`, Buffer.from(encode({ version: 1, gate, n })));
}, 1000);
