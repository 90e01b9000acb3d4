import { Console, Effect, Layer, Option, Redacted, Schema, Stdio, Stream } from "effect"
import { Argument, Command, Flag, Prompt } from "effect/cli"
import { HttpServer, HttpServerError } from "effect/http"
import { NAME, People, ROLES } from "../../services/People.ts"
import * as Settings from "../../services/Settings.ts"
import * as AtFal from "../console/AtFal.ts"
import * as Changes from "../console/Changes.ts"
import * as Door from "../console/Door.ts"
import type { Pending } from "../console/healthPage.ts"
import { type Needs, serve } from "../console/server.ts"
import { explain } from "../explain.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson, WrongUse } from "./outcome.ts"

const CLOSED =
  "the console is closed: name those who may sign in (CONSOLE_USERS, then: model-generator console user add NAME --role operator), or let a proxy do it (CONSOLE_PROXY_HEADER and CONSOLE_PROXY_ADDRESS)"

/** A console that nobody could get into, or everybody, does not start. */
const mustBeConfigured = Effect.gen(function* () {
  const { CONSOLE_PROXY_ADDRESS, CONSOLE_PROXY_HEADER, CONSOLE_USERS } = yield* Settings.of(
    "CONSOLE_USERS",
    "CONSOLE_PROXY_HEADER",
    "CONSOLE_PROXY_ADDRESS"
  )
  if (Option.isSome(CONSOLE_PROXY_HEADER)) {
    if (CONSOLE_PROXY_ADDRESS.length > 0) return
    return yield* new WrongUse({
      message: "CONSOLE_PROXY_HEADER without CONSOLE_PROXY_ADDRESS would let everybody say who they are: name the proxy's address"
    })
  }
  if (Option.isNone(CONSOLE_USERS)) return yield* new Failed({ message: CLOSED })
  const people = yield* People
  if ((yield* people.list).length === 0)
    return yield* new Failed({
      message: `nobody may sign in yet (${CONSOLE_USERS.value}): model-generator console user add NAME --role operator`
    })
})

const cannotListen = ({ cause }: HttpServerError.ServeError) =>
  new Failed({
    message: `the console cannot listen (${explain(cause)}): look at CONSOLE_HOST and CONSOLE_PORT`
  })

const announced = Layer.effectDiscard(
  Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
    Effect.logInfo("console ready", { address: HttpServer.formatAddress(address) })
  )
)

/** Passwords that are shorter are guessed. */
const SHORTEST = 10

/** The password, asked for on a terminal, else the first line of standard input. It never stands in the arguments. */
const password = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const given = (yield* stdio.stdinIsTerminal)
    ? yield* Prompt.run(Prompt.Password({ message: "Password" }))
    : Redacted.make((yield* stdio.stdin.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.runCollect))[0] ?? "")
  if (Redacted.value(given).length < SHORTEST)
    return yield* new WrongUse({ message: `a password has ${SHORTEST} characters or more` })
  return given
})

const name = Argument.String("name").pipe(
  Argument.withDescription("Whom the console knows by it"),
  Argument.withSchema(Schema.String.check(Schema.isPattern(NAME)))
)

const add = Command.make(
  "add",
  {
    name,
    role: Flag.Literals("role", ROLES).pipe(
      Flag.withDescription("viewer looks, curator decides on pictures, operator may do everything")
    )
  },
  ({ name, role }) =>
    Effect.gen(function* () {
      const people = yield* People
      const there = yield* people.find(name)
      yield* people.put({ name, role }, yield* password)
      yield* Console.log(Option.isSome(there) ? `${name} is ${role} now, with this password` : `${name} may sign in as ${role}`)
    })
).pipe(
  Command.withDescription(
    "Let somebody sign in, or give them another role or password; the password is asked for, or read from standard input"
  )
)

const list = Command.make("list", { json: flags.json }, ({ json }) =>
  Effect.gen(function* () {
    const people = yield* People
    const all = yield* people.list
    if (json) return yield* print(all)
    if (all.length === 0) return yield* Console.log("nobody may sign in")
    yield* Console.log(
      Display.table(
        yield* Display.paint,
        ["name", "role"],
        all.map((person) => [person.name, person.role])
      )
    )
  }).pipe(inJson(json, print))
).pipe(Command.withDescription("Who may sign in, and as what"))

const remove = Command.make("remove", { name }, ({ name }) =>
  Effect.gen(function* () {
    const people = yield* People
    if (!(yield* people.remove(name))) return yield* new Failed({ message: `nobody is called ${name}` })
    yield* Console.log(`${name} may not sign in any more`)
  })
).pipe(Command.withDescription("Let somebody in no more; who is signed in is out at once"))

/** The page for people: the library and its review. */
export const console = <E1, E2, E3, E4>(
  world: Layer.Layer<Needs, E1>,
  http: Layer.Layer<HttpServer.HttpServer, E2>,
  people: Layer.Layer<People, E3>,
  log: Layer.Layer<never, E4>,
  untilStopped: Layer.Layer<never>,
  pending: Pending
) =>
  Command.make("console", {}, () =>
    Effect.andThen(
      Effect.provide(mustBeConfigured, people),
      Layer.launch(
        announced.pipe(
          Layer.provideMerge(serve(pending)),
          // The port opens last: what is asked before there is anybody to answer would never be answered.
          Layer.provide(http.pipe(Layer.provideMerge(Layer.merge(Changes.layer, AtFal.layer).pipe(Layer.provideMerge(world))))),
          Layer.provide(Door.layer.pipe(Layer.provide(people))),
          Layer.provideMerge(Layer.mergeAll(log, untilStopped))
        )
      )
    ).pipe(Effect.mapError((error) => (error instanceof HttpServerError.ServeError ? cannotListen(error) : error)))
  ).pipe(
    Command.withDescription("Serve the console, a page for people to look at the pictures and to decide on them, until stopped"),
    Command.withSubcommands([
      Command.make("user").pipe(
        Command.withDescription("Who may sign in at the console"),
        Command.withSubcommands([add, list, remove]),
        Command.provide(people)
      )
    ]),
    Command.withExamples([
      { command: "model-generator console user add anna --role curator", description: "Let anna sign in; asks for her password" },
      { command: "model-generator console", description: "Serve until stopped" }
    ])
  )
