// An Engine.IO server that echoes messages, of whatever version NODE_PATH holds. [PORT]: it prints which.
// What it echoes passes for a Socket.IO namespace that anybody may join.
const http = require("http");
const engine = require("engine.io");

const server = http.createServer();
engine.attach(server, { path: "/socket.io" }).on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(server.address().port));
