import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { type Buried, DeadLetters } from "../../services/DeadLetters.ts"
import { MAX_MESSAGE } from "../../services/TaskQueue.ts"
import * as Text from "../../wire/Text.ts"
import { print } from "./client.ts"
import { read, wholeOf } from "./deadLetter.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"

const ids = Argument.String("id").pipe(
  Argument.withDescription("Ids as `dead list` shows them, or their beginnings"),
  Argument.variadic()
)
const all = Flag.Boolean("all").pipe(Flag.withDescription("Every dead letter"), Flag.withDefault(false))

/** The most that are listed, or looked through for an id, at once. */
const MOST = 1000

/** The letters meant, each id naming exactly one. */
const chosen = Effect.fnUntraced(function* (wanted: ReadonlyArray<string>, everything: boolean) {
  const deadLetters = yield* DeadLetters
  if (everything === wanted.length > 0)
    return yield* new WrongUse({ message: "name the dead letters by their ids, or say --all" })
  const buried = yield* deadLetters.list(MOST)
  if (everything) return buried
  return yield* Effect.forEach(wanted, (id) => {
    const found = buried.filter((letter) => letter.id.startsWith(id))
    return found.length === 1
      ? Effect.succeed(found[0]!)
      : Effect.fail(
          new Failed({
            message: found.length === 0 ? `no dead letter has the id ${id}` : `${id} is the beginning of several ids`
          })
        )
  })
})

const list = Command.make("list", { json: flags.json }, ({ json }) =>
  Effect.gen(function* () {
    const letters = (yield* (yield* DeadLetters).list(MOST)).map(read)
    if (json) return yield* print(letters)
    if (letters.length === 0) return yield* Console.log("no dead letters")
    const rows = letters.map((letter) =>
      [
        letter.id,
        letter.time ?? "?",
        letter.task ?? "?",
        letter.task_id ?? "?",
        Text.cut(`${letter.reason}: ${letter.error}`, 80)
      ].map(Text.printable)
    )
    yield* Console.log(Display.table(yield* Display.paint, ["id", "time", "task", "task id", "why"], rows))
    if (letters.length === MOST) yield* Console.log(`these are the newest ${MOST}; redrive or drop some to see the others`)
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("The dead letters, the newest first"))

const show = Command.make(
  "show",
  { id: Argument.String("id").pipe(Argument.withDescription("An id as `dead list` shows it")) },
  ({ id }) =>
    Effect.gen(function* () {
      const [letter] = yield* chosen([id], false)
      // A bare message of more bytes than a worker reads: it is not printed.
      const whole = letter!.bytes > 3 * MAX_MESSAGE ? Option.none() : yield* (yield* DeadLetters).read(letter!)
      const text = Option.getOrElse(whole, () => letter!.text)
      const raw = wholeOf(text)
      yield* print({ ...read(letter!), raw })
    })
).pipe(Command.withDescription("One dead letter in full, with the message as it came, as JSON"))

const act = (
  name: "redrive" | "drop",
  description: string,
  done: string,
  each: (deadLetters: DeadLetters["Service"], letter: Buried) => ReturnType<DeadLetters["Service"]["drop"]>
) =>
  Command.make(name, { ids, all, json: flags.json }, ({ all, ids, json }) =>
    Effect.gen(function* () {
      const deadLetters = yield* DeadLetters
      const moved: Array<string> = []
      let meant = 0
      while (true) {
        const letters = yield* chosen(ids, all)
        // Another hand may have been faster with one of them: it is not counted twice.
        const now = yield* Effect.filter(letters, (letter) => each(deadLetters, letter))
        moved.push(...now.map(({ id }) => id))
        meant += letters.length
        if (!all || letters.length < MOST || now.length === 0) break
      }
      yield* json ? print({ [done]: moved }) : Console.log(`${done}: ${moved.length} of ${meant}`)
      if (moved.length < meant) return yield* new Failed({ message: "the others were gone already" })
    }).pipe(inJson(json, print))
  ).pipe(Command.withDescription(description))

/** The commands for dead letters: messages that no worker runs again until a person decides. */
export const dead = Command.make("dead").pipe(
  Command.withDescription("Dead letters: messages that could not be run and wait for a decision"),
  Command.withSubcommands([
    list,
    show,
    act("redrive", "Put them back on their queue, with their crashes forgotten", "redriven", (deadLetters, letter) =>
      deadLetters.redrive(letter)
    ),
    act("drop", "Forget them for good", "dropped", (deadLetters, letter) => deadLetters.drop(letter))
  ]),
  Command.withExamples([
    { command: "model-generator dead list", description: "What was put aside, and why" },
    { command: "model-generator dead redrive 3f2a9c", description: "Try one again, once its cause is mended" },
    { command: "model-generator dead drop --all", description: "Forget them all" }
  ])
)
