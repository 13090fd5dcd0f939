// Joins with permessage-deflate over Node's ws, tells what was agreed and the seqs of so many updates of one symbol.
// node deflate.mjs URL SYMBOL COUNT

import WebSocket from 'ws'

const [url, symbol, count] = process.argv.slice(2)
const socket = new WebSocket(url, { perMessageDeflate: true })
const seqs = []

socket.on('message', (data) => {
  const packet = data.toString()
  if (packet.startsWith('0{')) socket.send('40')
  if (packet.startsWith('40{')) socket.send(`42${JSON.stringify(['price:subscribe', symbol])}`)
  if (!packet.startsWith('42["price:update"')) return
  const update = JSON.parse(packet.slice(2))[1]
  if (!update.snapshot) seqs.push(update.seq)
  if (seqs.length < Number(count)) return
  socket.removeAllListeners('message')
  console.log(JSON.stringify({ extensions: socket.extensions, seqs }))
  socket.close()
})
