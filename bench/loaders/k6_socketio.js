// k6 knows no Socket.IO: its packets by hand, as its users write them. One VU is one connection; every price is parsed
// and its latency goes into a Trend.
import { WebSocket } from 'k6/experimental/websockets';
import { Trend } from 'k6/metrics';

const latency = new Trend('latency', true);

export const options = {
  scenarios: {
    subscribers: { executor: 'per-vu-iterations', vus: Number(__ENV.BENCH_CLIENTS), iterations: 1, maxDuration: '1h' },
  },
};

export default function () {
  const socket = new WebSocket(`${__ENV.URL}/socket.io/?EIO=4&transport=websocket`);
  socket.onmessage = (event) => {
    const packet = event.data;
    if (packet.startsWith('42')) {
      const [name, price] = JSON.parse(packet.slice(2));
      if (name === 'price:update') latency.add(Date.now() - price.timestamp);
    } else if (packet === '2') {
      socket.send('3');
    } else if (packet.startsWith('40')) {
      socket.send('42["price:subscribe",["BTC/USDT"]]');
    } else if (packet.startsWith('0')) {
      socket.send('40');
    }
  };
}
