// Node's socket.io-client as a listener: sequence checked and latency counted in the leanest way. The twin of
// stock_socketio.py. socket.io-client comes from tests/node (see the Makefile).
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const require = createRequire(new URL("../../tests/node/package.json", import.meta.url));
const { io } = require("socket.io-client");

const PATIENCE = 60_000; // ms for connections to come up
const AT_ONCE = 50; // connections being opened at a time

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    clients: { type: "string" },
    symbols: { type: "string" },
    warmup: { type: "string" },
    seconds: { type: "string" },
  },
});
const clients = Number(options.clients);
const symbols = options.symbols.split(",");
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let messages = 0;
let missing = 0;
let receiving = 0;
const latencies = new Map();

function connect(number) {
  const last = new Map();
  const socket = io(options.url, { transports: ["websocket"], forceNew: true, reconnection: false });
  socket.on("price:update", (price) => {
    const at = now();
    if (last.size === 0) receiving += 1;
    messages += 1;
    const before = last.get(price.channel);
    if (before !== undefined && price.seq > before + 1) missing += price.seq - before - 1;
    last.set(price.channel, price.seq);
    if (price.snapshot === undefined) {
      const step = Math.trunc((at - price.timestamp) * 100);
      latencies.set(step, (latencies.get(step) ?? 0) + 1);
    }
  });
  return new Promise((resolve, reject) => {
    socket.on("connect", () => {
      socket.emit("price:subscribe", [symbols[number % symbols.length]]);
      resolve(socket);
    });
    socket.on("connect_error", reject);
  });
}

function percentile(percent) {
  const steps = [...latencies].sort((one, other) => one[0] - other[0]);
  let rank = Math.ceil((percent / 100) * steps.reduce((sum, [, count]) => sum + count, 0));
  for (const [step, count] of steps) {
    rank -= count;
    if (rank <= 0) return step / 100_000;
  }
  return null;
}

const began = performance.now();
for (let first = 0; first < clients; first += AT_ONCE) {
  const batch = Array.from({ length: Math.min(AT_ONCE, clients - first) }, (_, place) => connect(first + place));
  await Promise.all(batch);
}
const openedPerSecond = (clients / (performance.now() - began)) * 1000;
const deadline = performance.now() + PATIENCE;
while (receiving < clients && performance.now() < deadline) await sleep(50);
await sleep(Number(options.warmup) * 1000);
latencies.clear();
const [at, cpu, count] = [performance.now(), process.cpuUsage(), messages];
await sleep(Number(options.seconds) * 1000);
const used = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    seconds: (performance.now() - at) / 1000,
    messages: messages - count,
    cpu_seconds: (used.user + used.system) / 1e6,
    rss: process.memoryUsage.rss(),
    receiving,
    opened_per_s: openedPerSecond,
    missing,
    p50: percentile(50),
    p95: percentile(95),
  }),
);
process.exit(0);
