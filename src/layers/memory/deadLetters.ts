import { Effect } from "effect"
import { DeadLetters } from "../../services/DeadLetters.ts"
import { exhumed } from "../lifeText.ts"
import * as kombu from "../../wire/kombu.ts"
import type { Shared } from "./shared.ts"

/** The dead letters of the queues taken from. */
export const deadLetters = (shared: Shared) => {
  const { broker, command, exhume, listAt, push } = shared
  return DeadLetters.of({
    list: (limit) =>
      command("list dead letters", () =>
        shared.queues
          .flatMap((queue) =>
            listAt(kombu.dead(queue)).map((text, n, all) => ({
              id: kombu.letterId(text),
              queue,
              text,
              bytes: text.length,
              at: all.length - n
            }))
          )
          .slice(0, limit)
      ),
    read: ({ text }) => Effect.succeedSome(text),
    redrive: (letter) =>
      command("redrive", (now) => {
        if (!exhume(letter)) return false
        const { priority, raw } = kombu.cleared(kombu.inside(letter.text)?.toString() ?? letter.text)
        push(letter.queue, priority, raw, "last")
        broker.lives.tell(exhumed(letter.text, "Redriven"), now)
        return true
      }),
    drop: (letter) =>
      command("drop", (now) => {
        if (!exhume(letter)) return false
        broker.lives.tell(exhumed(letter.text, "Dropped"), now)
        return true
      })
  })
}
