// A WebSocket client on undici, of whatever version NODE_PATH holds, that comes back. It is told where on stdin.
const { WebSocket } = require("undici");

function connect(url) {
  const socket = new WebSocket(url);
  socket.addEventListener("close", () => setTimeout(connect, 50, url));
  socket.addEventListener("error", () => {});
}
process.stdin.once("data", (line) => connect(`${String(line).trim()}/ws`));
