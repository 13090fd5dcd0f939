// One socket.io-client whose life is told on stdout, a line of JSON per event; it does what lines on stdin say.
// node session.mjs URL AUTH

import { createInterface } from 'node:readline'
import { io } from 'socket.io-client'

const [url, auth] = process.argv.slice(2)
const tell = (event, ...facts) => console.log(JSON.stringify([event, ...facts]))
const socket = io(url, { auth: JSON.parse(auth), reconnectionDelay: 50, reconnectionDelayMax: 200 })

socket.on('connect', () => {
  tell('connect', socket.io.engine.transport.name)
  socket.emit('price:subscribe', ['BTC/USDT'], (answer) => tell('ack', answer))
})
socket.on('connect_error', (error) => tell('connect_error', error.message))
socket.on('disconnect', (reason, details) => tell('disconnect', reason, details?.context?.code))
socket.on('connection:closing', (word) => tell('connection:closing', word))
socket.on('price:update', (price) => tell('price:update', price.epoch, price.seq, price.timestamp))
socket.io.on('reconnect', () => tell('reconnect'))

createInterface({ input: process.stdin }).on('line', (line) => {
  const [event, ...args] = JSON.parse(line)
  socket.emit(event, ...args, (answer) => tell('ack', answer))
})
