// An Engine.IO server that echoes messages, of whatever version NODE_PATH holds. The first line of stdout is its port.
// What it echoes passes for a Socket.IO namespace that anybody may join.
const http = require("http");
const engine = require("engine.io");

const server = http.createServer();
engine.attach(server, { path: "/socket.io" }).on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
