import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { inspect } from "../../../src/programs/commands/inspect.ts"
import { Failed } from "../../../src/programs/commands/outcome.ts"
import { type Answer, Fleet, FleetError } from "../../../src/services/Fleet.ts"

const run = Effect.fnUntraced(function* (args: ReadonlyArray<string>, ask: Fleet["ask"]) {
  const lines: Array<string> = []
  const base = yield* Fleet
  const console_ = { ...globalThis.console, log: (line: string) => void lines.push(line) }
  const exit = yield* Effect.exit(
    Command.runWith(inspect, { version: "0" })(args).pipe(
      Effect.provideService(Console.Console, console_),
      Effect.provide(Layer.mergeAll(NodeServices.layer, Layer.succeed(Fleet, { ...base, ask })))
    )
  )
  return { exit, text: lines.join("\n") }
})
const from = (node: string, reply: unknown): Answer => ({ headers: {}, body: { [node]: reply } })

it.effect("prints what `celery inspect ping` prints", () =>
  Effect.gen(function* () {
    const { text } = yield* run(["ping"], () =>
      Effect.succeed([from("celery@generator-worker-1", { ok: "pong" }), from("celery@generator-worker-2", { ok: "pong" })])
    )
    assert.strictEqual(
      text,
      "->  celery@generator-worker-1: OK\n        pong\n->  celery@generator-worker-2: OK\n        pong\n\n2 nodes online."
    )
  })
)

it.effect("asks those it is to ask, for as long as it is to wait", () =>
  Effect.gen(function* () {
    const { text } = yield* run(["ping", "-d", "a@x, b@x", "-t", "3"], (question) => {
      assert.deepInclude(question, { method: "ping", destination: ["a@x", "b@x"], patience: 3000 })
      return Effect.succeed([from("a@x", { ok: "pong" })])
    })
    assert.include(text, "1 node online.")
  })
)

it.effect("as JSON, node by node", () =>
  Effect.gen(function* () {
    const { text } = yield* run(["ping", "--json"], () => Effect.succeed([from("a@x", { ok: "pong" }), from("odd", 3)]))
    assert.deepStrictEqual(JSON.parse(text), { "a@x": { ok: "pong" } })
  })
)

it.effect("fails in Celery's words when nobody answers, and says so when the broker does not", () =>
  Effect.gen(function* () {
    const nobody = yield* Effect.flip((yield* run(["ping"], () => Effect.succeed([]))).exit)
    assert.deepStrictEqual(nobody, new Failed({ message: "No nodes replied within time constraint" }))
    const gone = new FleetError({ operation: "ask", cause: new Error("ECONNREFUSED") })
    const unreachable = yield* Effect.flip((yield* run(["ping"], () => Effect.fail(gone))).exit)
    assert.match(String(unreachable), /ECONNREFUSED/)
  })
)
