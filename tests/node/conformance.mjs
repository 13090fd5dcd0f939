// Plays the part of the Socket.IO protocol's test suite with socket.io-client; tells what came as [name, facts] lines.
// node conformance.mjs URL TRANSPORTS

import { io } from 'socket.io-client'

const [url, transports] = process.argv.slice(2)
const options = { transports: transports.split(','), reconnection: false, auth: { token: '123' } }
const hex = (value) => (Buffer.isBuffer(value) ? value.toString('hex') : value)
const tell = (name, facts) => console.log(JSON.stringify([name, facts]))
const once = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args.map(hex))))
const ack = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...back) => resolve(back.map(hex))))

const main = io(url, options)
const custom = io(`${url}/custom`, options)
const auths = await Promise.all([once(main, 'auth'), once(custom, 'auth')])
tell('auth', auths.flat())
if (options.transports.length > 1 && main.io.engine.transport.name !== 'websocket') await once(main.io.engine, 'upgrade')
tell('transport', main.io.engine.transport.name)

let back = once(main, 'message-back')
main.emit('message', 1, '2', { 3: [true] }, Buffer.from([1, 2, 3]))
tell('message-back', await back)
back = once(custom, 'message-back')
custom.emit('message', 'custom', Buffer.from([255]))
tell('message-back /custom', await back)
tell('ack', await ack(main, 'message-with-ack', 'a', null, Buffer.from([4, 5, 6])))
tell('ack /custom', await ack(custom, 'message-with-ack'))

const left = once(custom, 'disconnect')
custom.disconnect()
tell('left', (await left)[0])
back = once(main, 'message-back')
main.emit('message', 'main goes on')
tell('still there', await back)

const unknown = io(`${url}/random`, options)
unknown.on('connect_error', (error) => {
  tell('refused', error.message)
  unknown.close()
  main.close()
})
