import { Effect } from "effect"
import type { Redis } from "ioredis"
import { type Outgoing, Publisher } from "../../services/Publisher.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import * as scripts from "./scripts.ts"
import { attempt } from "./shared.ts"

/** How long a batch is remembered as sent (seconds): longer than any message lives. */
const ONCE = 7 * 86_400

/** What anybody puts on queues. */
export const publisher = (redis: Redis) => {
  const publishOnce = script(redis, "mgPublishOnce", scripts.publishOnce)

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
      Effect.map(
        attempt("publishOnce", () =>
          publishOnce(
            [
              kombu.once(`${key}:${digest}`),
              kombu.once(key),
              kombu.onceKept,
              ...messages.flatMap(({ priority, queue }) => [kombu.bindings(queue), kombu.list(queue, priority)])
            ],
            [ONCE, note, `${key}:${digest}`, ...messages.flatMap(({ queue, raw }) => [kombu.binding(queue).member, raw])]
          )
        ),
        String
      )
  })
}
