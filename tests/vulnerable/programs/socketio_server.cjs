// A Socket.IO server as applications are, of whatever version NODE_PATH holds. [PORT]: it prints which.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer();
new Server(server).on("connection", (socket) => {
  socket.on("hello", (...args) => socket.emit("hello", ...args));
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(server.address().port));
