import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Fleet } from "../../services/Fleet.ts"
import { explain } from "../explain.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson } from "./outcome.ts"

const Reply = Schema.Record(
  Schema.String,
  Schema.Union([Schema.Struct({ ok: Schema.String }), Schema.Struct({ error: Schema.String })])
)
const decode = Schema.decodeUnknownOption(Reply)

const UNREACHABLE = "the workers cannot be asked: is Redis up, and is CELERY_BROKER_URL right?"

/** Does and prints what `celery inspect ping` does, for people and scripts that use it. */
export const inspect = Command.make(
  "inspect",
  {
    action: Argument.Literals("action", ["ping"]).pipe(Argument.withDescription("What to ask")),
    timeout: Flag.Finite("timeout").pipe(
      Flag.withAlias("t"),
      Flag.withDescription("How long to wait for the next answer, in seconds (1)"),
      Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0.1, maximum: 60 }))),
      Flag.withDefault(1)
    ),
    destination: flags.optional(
      Flag.String("destination").pipe(Flag.withAlias("d"), Flag.withDescription("Only these nodes, separated by commas"))
    ),
    json: flags.json
  },
  ({ action, destination, json, timeout }) =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const answers = yield* fleet
        .ask({
          method: action,
          arguments: {},
          destination: destination === null ? null : destination.split(",").map((name) => name.trim()),
          clock: 1,
          patience: timeout * 1000
        })
        .pipe(Effect.mapError(({ cause }) => new Failed({ message: `${UNREACHABLE} (${explain(cause)})` })))
      const replies = answers.flatMap(({ body }) => Object.entries(Option.getOrElse(decode(body), () => ({}))))
      if (replies.length === 0) return yield* new Failed({ message: "No nodes replied within time constraint" })
      if (json) return yield* print(Object.fromEntries(replies))
      const paint = yield* Display.paint
      for (const [node, reply] of replies) {
        const [state, text] = "ok" in reply ? [paint.green("OK"), reply.ok] : [paint.red("ERROR"), reply.error]
        yield* Console.log(`->  ${node}: ${state}\n        ${text}`)
      }
      yield* Console.log(`\n${replies.length} ${replies.length === 1 ? "node" : "nodes"} online.`)
    }).pipe(inJson(json, print))
).pipe(
  Command.withDescription("Ask the workers of this broker, ours and Celery's, as `celery inspect` does"),
  Command.withExamples([{ command: "model-generator inspect ping", description: "Who is there" }])
)
