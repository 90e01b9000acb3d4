import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { catalogue } from "../../fal-simulator/catalogue.ts"
import { simulate } from "../../fal-simulator/simulate.ts"
import { loadable } from "./loadable.ts"

const short = "Play fal's queue API on this machine, with a ledger of what was paid and faults on request"
const seconds = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 3600 }))

/** fal's queue API on this machine, until it is stopped. */
export const falSimulator = Command.make(
  "fal-simulator",
  {
    host: Flag.String("host").pipe(Flag.withDescription("The address to listen on (127.0.0.1)"), Flag.withDefault("127.0.0.1")),
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port; 0 takes any that is free (9220)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
      Flag.withDefault(9220)
    ),
    pictureSeconds: Flag.Finite("picture-seconds").pipe(
      Flag.withDescription("How long a picture takes, in seconds (2)"),
      Flag.withSchema(seconds),
      Flag.withDefault(2)
    ),
    variation: Flag.Finite("variation").pipe(
      Flag.withDescription("How much that time varies; 0.2 is up to 20 % either way (0.2)"),
      Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
      Flag.withDefault(0.2)
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withDescription("Pictures made at once, as fal limits a new account (2)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
      Flag.withDefault(2)
    ),
    mediaSeconds: Flag.Finite("media-keep").pipe(
      Flag.withDescription("How long a picture can be downloaded, in seconds (604800, 7 days)"),
      Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 31_536_000 }))),
      Flag.withDefault(7 * 86_400)
    ),
    key: Flag.optional(
      Flag.String("key").pipe(
        Flag.withDescription("The one key that is accepted (any, when left out)"),
        Flag.withSchema(Schema.NonEmptyString)
      )
    ),
    adminKey: Flag.optional(
      Flag.String("admin-key").pipe(
        Flag.withDescription("The one key that may read the billing events (FAL_ADMIN_KEY; like --key, when left out)"),
        Flag.withSchema(Schema.NonEmptyString)
      )
    )
  },
  ({ adminKey, key, ...options }) =>
    Effect.gen(function* () {
      yield* loadable("the simulator", "sharp") // it draws the pictures
      const given = Option.getOrElse(Option.all({ key }), () => ({}))
      const simulator = yield* simulate({ ...options, ...given, ...Option.getOrElse(Option.all({ adminKey }), () => ({})) })
      yield* Console.log(`fal simulator on ${simulator.url}, until it is stopped`)
      yield* Console.log(`a worker uses it with   FAL_BASE_URL=${simulator.url}`)
      yield* Console.log(`what was asked and paid: ${simulator.url}/_sim/ledger   faults: POST ${simulator.url}/_sim/faults`)
      return yield* Effect.never
    }).pipe(Effect.scoped)
).pipe(
  Command.withShortDescription(short),
  Command.withDescription(`${short}\n\n  ${catalogue}`),
  Command.withExamples([
    { command: "model-generator fal-simulator --picture-seconds 1", description: "Serve until stopped" },
    { command: "FAL_BASE_URL=http://127.0.0.1:9220 model-generator worker", description: "Have a worker use it" }
  ])
)
