// Receives so many prices of some symbols and prints each as a line of JSON, the transport last.
// node prices.mjs URL TRANSPORTS COUNT SYMBOL…

import { io } from 'socket.io-client'

const [url, transports, count, ...symbols] = process.argv.slice(2)
const socket = io(url, { transports: transports.split(',') })
const received = []

socket.on('connect', () => socket.emit('price:subscribe', symbols))
socket.on('price:update', (price) => {
  received.push(price)
  if (received.length < Number(count)) return
  const transport = socket.io.engine.transport.name
  for (const line of [...received, { transport }]) console.log(JSON.stringify(line))
  socket.close()
})
