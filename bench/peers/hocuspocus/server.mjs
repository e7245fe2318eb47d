// Hocuspocus as it comes, without storage. FLUSH_DELAY_MS sets its window, REDIS_PORT connects it to other replicas.
import { Redis } from '@hocuspocus/extension-redis'
import { Server } from '@hocuspocus/server'

const { PORT, FLUSH_DELAY_MS, REDIS_PORT } = process.env

await new Server({
  address: '127.0.0.1',
  port: Number(PORT),
  quiet: true,
  ...(FLUSH_DELAY_MS ? { flushDelay: Number(FLUSH_DELAY_MS) } : {}),
  extensions: REDIS_PORT ? [new Redis({ host: '127.0.0.1', port: Number(REDIS_PORT) })] : [],
}).listen()
