import { type Outgoing, Publisher } from "../../services/Publisher.ts"
import type { Shared } from "./shared.ts"

/** Sends messages to queues. */
export const publisher = ({ broker, command, push }: Shared) => {
  const publish = (messages: ReadonlyArray<Outgoing>) => {
    for (const message of messages) push(message.queue, message.priority, message.raw, "last")
  }

  return Publisher.of({
    publish: (messages) => command("publish", () => publish(messages)),
    publishOnce: ({ digest, key: id }, note, messages) =>
      command("publishOnce", () => {
        const key = `${id}:${digest}`
        const kept = broker.sent.get(key)
        if (kept !== undefined) return kept
        broker.sent.set(key, note)
        publish(messages)
        return note
      })
  })
}
