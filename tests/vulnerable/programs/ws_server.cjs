// An echo on `ws`, of whatever version NODE_PATH holds. [PORT]: it prints which.
const http = require("http");
const { Server } = require("ws");

const server = http.createServer((request, response) => response.writeHead(426).end());
const sockets = new Server({ server });
sockets.on("connection", (socket) => {
  socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary ?? Buffer.isBuffer(message) }));
  socket.on("error", () => {}); // as its documentation asks of everybody
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(server.address().port));
