// Node's socket.io with its own ws engine, as shipped, emitting to a room per symbol. The twin of
// stock_socketio.py; the payload follows price.py. As `wsctl serve` does, it pushes a symbol's current price
// at subscription, lets the symbols tick in turn, and pauses and resumes at POST /control/pause and /resume.
// socket.io comes from tests/node (see the Makefile).
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const require = createRequire(new URL("../../tests/node/package.json", import.meta.url));
const { Server } = require("socket.io");

const EPOCH = "5f3a9c1e";

const { values: options } = parseArgs({
  options: {
    clients: { type: "string" },
    rate: { type: "string" },
    symbols: { type: "string", default: "BTC/USDT" },
    "ready-file": { type: "string" },
  },
});

const symbols = options.symbols.split(",");
const channelOf = (symbol) => `symbol:${symbol}:ticker`;
const round = (number, digits) => Number(number.toFixed(digits));
const now = () => performance.timeOrigin + performance.now();

function payload(symbol, seq, due) {
  const price = 65_000 + ((seq * 37) % 10_000) / 100;
  return {
    symbol,
    price: round(price, 2),
    bid: round(price - 0.5, 2),
    ask: round(price + 0.5, 2),
    volume: round(1 + (seq % 97) / 1000, 4),
    channel: channelOf(symbol),
    seq,
    epoch: EPOCH,
    timestamp: round(now(), 3),
    sourceTime: round(due, 3),
  };
}

const latest = new Map();

// setInterval would drift; tick k of all is due at start + (k + 1) periods instead
class Ticker {
  constructor(rate) {
    this.period = 1000 / rate / symbols.length;
    this.start = now();
    this.ticks = 0;
    this.pausedAt = null;
    this.plan();
  }

  due() {
    return this.start + (this.ticks + 1) * this.period;
  }

  plan() {
    this.timer = setTimeout(() => this.tick(), this.due() - now());
  }

  tick() {
    const symbol = symbols[this.ticks % symbols.length];
    const price = payload(symbol, Math.floor(this.ticks / symbols.length) + 1, this.due());
    latest.set(symbol, price);
    io.to(channelOf(symbol)).emit("price:update", price);
    this.ticks += 1;
    this.plan();
  }

  pause() {
    this.pausedAt ??= now();
    clearTimeout(this.timer);
  }

  resume() {
    if (this.pausedAt === null) return;
    this.start += now() - this.pausedAt;
    this.pausedAt = null;
    this.plan();
  }
}

let ticker;
const server = createServer((request, response) => {
  if (request.url === "/control/pause") ticker.pause();
  else if (request.url === "/control/resume") ticker.resume();
  else response.statusCode = 404;
  response.end('{"ok":true}');
});
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("price:subscribe", (wanted, answer) => {
    socket.join(wanted.map(channelOf));
    answer?.({ ok: true });
    for (const symbol of wanted) {
      const price = latest.get(symbol);
      if (price) socket.emit("price:update", { ...price, timestamp: round(now(), 3), snapshot: true });
    }
  });
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  ticker = new Ticker(Number(options.rate));
  const file = options["ready-file"];
  const facts = { url: `http://127.0.0.1:${server.address().port}`, pid: process.pid };
  facts.version = require("socket.io/package.json").version;
  writeFileSync(`${file}.part`, JSON.stringify(facts));
  renameSync(`${file}.part`, file);
});
