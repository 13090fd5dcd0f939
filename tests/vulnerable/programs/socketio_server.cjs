// A Socket.IO server as applications are, of whatever version NODE_PATH holds. The first line of stdout is its port.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer();
new Server(server).on("connection", (socket) => {
  socket.on("hello", (...args) => socket.emit("hello", ...args));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
