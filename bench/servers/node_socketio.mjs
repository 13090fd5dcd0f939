// Node's socket.io with its own ws engine, as shipped, emitting to a room. The twin of stock_socketio.py;
// the payload follows price.py. socket.io comes from tests/node (see the Makefile).
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const require = createRequire(new URL("../../tests/node/package.json", import.meta.url));
const { Server } = require("socket.io");

const SYMBOL = "BTC/USDT";
const CHANNEL = `symbol:${SYMBOL}:ticker`;
const EPOCH = "5f3a9c1e";

const { values: options } = parseArgs({
  options: { clients: { type: "string" }, rate: { type: "string" }, "ready-file": { type: "string" } },
});

const round = (number, digits) => Number(number.toFixed(digits));
const now = () => performance.timeOrigin + performance.now();

function payload(seq, due) {
  const price = 65_000 + ((seq * 37) % 10_000) / 100;
  return {
    symbol: SYMBOL,
    price: round(price, 2),
    bid: round(price - 0.5, 2),
    ask: round(price + 0.5, 2),
    volume: round(1 + (seq % 97) / 1000, 4),
    channel: CHANNEL,
    seq,
    epoch: EPOCH,
    timestamp: round(now(), 3),
    sourceTime: round(due, 3),
  };
}

const server = createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("price:subscribe", (symbols) => socket.join(symbols.map((symbol) => `symbol:${symbol}:ticker`)));
});

// setInterval would drift; each tick is due at start + n periods instead
function publish(rate) {
  const start = now();
  let seq = 0;
  const due = () => start + ((seq + 1) * 1000) / rate;
  const tick = () => {
    io.to(CHANNEL).emit("price:update", payload(seq + 1, due()));
    seq += 1;
    setTimeout(tick, due() - now());
  };
  setTimeout(tick, due() - now());
}

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  publish(Number(options.rate));
  const file = options["ready-file"];
  const facts = { url: `http://127.0.0.1:${server.address().port}`, pid: process.pid };
  facts.version = require("socket.io/package.json").version;
  writeFileSync(`${file}.part`, JSON.stringify(facts));
  renameSync(`${file}.part`, file);
});
