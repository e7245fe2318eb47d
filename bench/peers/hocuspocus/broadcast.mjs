// A plain broadcast with `ws`: every message goes to the others of the same path. It has no document.
import { WebSocketServer } from 'ws'

const STEP1 = Uint8Array.of(0, 0, 1, 0)
const STEP2 = Uint8Array.of(0, 1, 2, 0, 0)
const rooms = new Map()

new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT), perMessageDeflate: false }).on(
  'connection',
  (socket, request) => {
    const room = rooms.get(request.url) ?? new Set()
    rooms.set(request.url, room.add(socket))
    socket.on('message', (message) => {
      if (message[0] === 0 && message[1] === 0) socket.send(STEP2)
      else if (message[0] === 1 || message[1] === 2) for (const other of room) if (other !== socket) other.send(message)
    })
    socket.on('close', () => room.delete(socket))
    socket.send(STEP1)
  },
)
