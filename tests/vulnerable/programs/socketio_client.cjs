// A Socket.IO client, of whatever version NODE_PATH holds, that comes back. It is told where on stdin.
const { io } = require("socket.io-client");

process.stdin.once("data", (line) => {
  const socket = io(String(line).trim(), { transports: ["websocket"], reconnectionDelay: 50, reconnectionDelayMax: 50 });
  socket.on("price:update", () => {});
  socket.on("disconnect", (reason) => reason === "io server disconnect" && socket.connect());
});
