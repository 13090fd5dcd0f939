// The test that every Socket.IO tutorial shows, as it stands there, against `wsctl serve`.

import assert from 'node:assert'
import test from 'node:test'
import { io } from 'socket.io-client'

const expect = (value) => ({ toBe: (wanted) => assert.strictEqual(value, wanted) })

test('receives price updates', (t, done) => {
  const socket = io('ws://localhost:3000')
  socket.emit('price:subscribe', ['BTC/USDT'])
  socket.on('price:update', (data) => {
    expect(data.symbol).toBe('BTC/USDT')
    socket.disconnect()
    done()
  })
})
