import { Option } from "effect"
import { type Buried, DeadLetters } from "../../services/DeadLetters.ts"
import { exhumed, toldArguments } from "../lifeText.ts"
import type { Told } from "../../services/TaskLives.ts"
import * as kombu from "../../wire/kombu.ts"
import { bind } from "./scripts/script.ts"
import { pageDeadLetters } from "./scripts/pageDeadLetters.ts"
import { takeDeadLetter } from "./scripts/takeDeadLetter.ts"
import { attempt, type Shared } from "./shared.ts"

type Page = ReturnType<typeof pageDeadLetters.answer>

/** The most that one page reads beyond its first letter, and the longest letter that a list shows whole (bytes). */
const BYTES = 16 * 1024 * 1024
const WHOLE = 16 * 1024

/** The dead letters of queues, which may be many and large. */
export const deadLetters = (shared: Shared) => {
  const { keyPrefix, redis } = shared
  const page = bind(redis, pageDeadLetters)
  const take = bind(redis, takeDeadLetter)
  const on = (
    { at, id, queue }: Buried,
    action: "read" | "drop" | "requeue" | "push",
    message: string | Buffer = "",
    told: Told | undefined = undefined
  ) =>
    take({ dead: kombu.dead(queue), prefix: keyPrefix, fallback: queue, id, place: at, action, message, ...toldArguments(told) })

  /** The newest letters of a queue, at most `limit`. */
  const list = async (queue: string, limit: number): Promise<ReadonlyArray<Buried>> => {
    const found: Array<Buried> = []
    for (let from: number | undefined = 0; from !== undefined && found.length < limit;) {
      const { letters, next }: Page = await page({
        dead: kombu.dead(queue),
        from,
        limit: Math.min(100, limit - found.length),
        bytes: BYTES,
        whole: WHOLE
      })
      found.push(...letters.map((letter) => ({ ...letter, queue })))
      from = next
    }
    return found
  }
  /** The whole letter. */
  const read = async (letter: Buried): Promise<Buffer | undefined> => (await on(letter, "read")).letter

  return DeadLetters.of({
    list: (limit) =>
      attempt("list dead letters", async () => {
        const found: Array<Buried> = []
        for (const queue of shared.queues) found.push(...(await list(queue, limit - found.length)))
        return found
      }),
    read: (letter) =>
      attempt("read a dead letter", async () =>
        Option.map(Option.fromNullishOr(await read(letter)), (bytes) => bytes.toString())
      ),
    redrive: (letter) =>
      attempt("redrive", async () => {
        const whole = letter.text === "" ? undefined : await read(letter)
        const message = whole === undefined ? undefined : kombu.inside(whole.toString())
        // The message in it, or the letter itself when it is a bare message.
        const told = exhumed(whole?.toString() ?? letter.text, "Redriven")
        return (await (message === undefined ? on(letter, "requeue", "", told) : on(letter, "push", message, told))).removed
      }),
    drop: (letter) => attempt("drop", async () => (await on(letter, "drop", "", exhumed(letter.text, "Dropped"))).removed)
  })
}
