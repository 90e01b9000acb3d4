import { Effect } from "effect"
import type { Redis } from "ioredis"
import { type Outgoing, Publisher } from "../../services/Publisher.ts"
import * as kombu from "../../wire/kombu.ts"
import * as Scripts from "./scripts/publishOnce.ts"
import { bind } from "./scripts/script.ts"
import { attempt } from "./shared.ts"

/** How long a batch is remembered as sent (seconds): longer than any message lives. */
const ONCE = 7 * 86_400

/** Sends messages to queues. */
export const publisher = (redis: Redis) => {
  const publishOnce = bind(redis, Scripts.publishOnce)

  const push = async (messages: ReadonlyArray<Outgoing>) => {
    const pipeline = redis.multi()
    for (const queue of new Set(messages.map((message) => message.queue))) {
      const { key, member } = kombu.binding(queue)
      pipeline.sadd(key, member)
    }
    for (const message of messages) pipeline.lpush(kombu.list(message.queue, message.priority), message.raw)
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error // a queue that is no list
  }

  return Publisher.of({
    publish: (messages) => Effect.asVoid(attempt("publish", () => push(messages))),
    publishOnce: ({ digest, key }, note, messages) =>
      attempt("publishOnce", () =>
        publishOnce({
          marker: kombu.once(`${key}:${digest}`),
          older: kombu.once(key),
          keep: ONCE,
          note,
          batch: `${key}:${digest}`,
          each: messages.map(({ priority, queue, raw }) => ({
            bindings: kombu.bindings(queue),
            list: kombu.list(queue, priority),
            binding: kombu.binding(queue).member,
            message: raw
          }))
        })
      )
  })
}
