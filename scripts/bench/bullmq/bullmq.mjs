// BullMQ as the bench runs it: `worker`, `enqueue COUNT`, or `roundtrip COUNT`, which prints milliseconds as JSON.
import { Queue, QueueEvents, Worker } from "bullmq"
import { Redis } from "ioredis"

const NAME = "bench"
const [what, count] = [process.argv[2], Number(process.argv[3])]
const connection = new Redis(process.env.CELERY_BROKER_URL, { maxRetriesPerRequest: null })

const enqueue = async () => {
  const queue = new Queue(NAME, { connection })
  for (let left = count; left > 0; left -= 1000) {
    await queue.addBulk(Array.from({ length: Math.min(left, 1000) }, () => ({ name: "health_check", data: {} })))
  }
}

const roundTrips = async () => {
  const queue = new Queue(NAME, { connection })
  const events = new QueueEvents(NAME, { connection: connection.duplicate() })
  await events.waitUntilReady()
  const times = []
  for (let n = -20; n < count; n++) {
    const before = performance.now()
    const job = await queue.add("health_check", {})
    await job.waitUntilFinished(events, 60_000)
    if (n >= 0) times.push(performance.now() - before)
  }
  process.stdout.write(JSON.stringify(times))
}

if (what === "worker") {
  const worker = new Worker(NAME, async () => ({ status: "healthy" }), { connection, concurrency: 1 })
  await worker.waitUntilReady()
} else {
  await (what === "enqueue" ? enqueue() : roundTrips())
  process.exit(0)
}
