// One socket.io-client that subscribes once and tells on stdout, a line of JSON per event, what becomes of it.
// It has nothing else to do: where the library stays away, the program ends.
// node ends.mjs URL TRANSPORT TOKEN

import { io, Manager } from 'socket.io-client'

const [url, transport, token] = process.argv.slice(2)
const tell = (event, ...facts) => console.log(JSON.stringify([event, ...facts]))

const usual = new Manager(url, { autoConnect: false })
const seconds = (milliseconds) => milliseconds / 1000
tell('delays', seconds(usual.reconnectionDelay()), seconds(usual.reconnectionDelayMax()), usual.reconnectionAttempts())

const socket = io(url, {
  auth: { token },
  transports: [transport],
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
})
socket.once('connect', () => {
  socket.emit('price:subscribe', ['BTC/USDT'], () => tell('subscribed'))
  // Answered on a later connection: whatever the library repeats by itself came before it.
  socket.on('connect', () => socket.emit('time:sync', () => tell('back')))
})
socket.on('connection:closing', (word) => tell('connection:closing', word))
socket.on('disconnect', (reason, details) => tell('disconnect', reason, details?.context?.code))
