import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import * as Message from "../../../src/programs/celery/Message.ts"
import * as NewMessage from "../../../src/programs/celery/NewMessage.ts"
import * as PythonJson from "../../../src/wire/PythonJson.ts"
import { message } from "../../support.ts"

const zone = DateTime.zoneMakeNamedUnsafe("UTC")
const digestOf = (raw: string) => Effect.map(Message.decode(raw, zone), ({ digest }) => digest())
const sent = (args: ReadonlyArray<unknown>, kwargs: Readonly<Record<string, unknown>>) =>
  digestOf(message({ task: "generate_model", args, kwargs }).raw)

describe("the digest of a task", () => {
  it.effect("is the same however its arguments are written", () =>
    Effect.gen(function* () {
      const uuid = { __type__: "uuid", __value__: { hex: "00000000000040008000000000000001" } }
      const first = yield* sent([1, { b: 2, a: [null] }], { x: uuid, big: 1n << 70n, y: 1.5 })
      const text = "00000000-0000-4000-8000-000000000001"
      const second = yield* sent([new PythonJson.Float(1), { a: [null], b: 2 }], { y: 1.5, big: 1n << 70n, x: text })
      assert.strictEqual(first, second)
    })
  )

  it.effect("is the same in every retry, also of a message of protocol 1", () =>
    Effect.gen(function* () {
      const old = JSON.stringify({
        body: Buffer.from(JSON.stringify({ id: "t", task: "generate_model", args: [1.0, "я"], kwargs: { b: 1, a: 2 } })).toString(
          "base64"
        ),
        "content-type": "application/json",
        headers: {},
        properties: { body_encoding: "base64" }
      })
      const read = yield* Message.decode(old, zone)
      const again = NewMessage.again(read, { tag: "t", queue: "q", eta: 0, retries: 1, uncounted: 0 })
      assert.strictEqual(yield* digestOf(again.raw), read.digest())
      const later = NewMessage.later(read, { tag: "t", queue: "q", generation: null })
      assert.strictEqual(yield* digestOf(later.raw), read.digest())
    })
  )

  it.effect("differs for other arguments", () =>
    Effect.gen(function* () {
      const all = [
        yield* sent([], { a: 1 }),
        yield* sent([], { a: 2 }),
        yield* sent([], { a: "1" }),
        yield* sent([1], {}),
        yield* sent([], { a: { b: 1 } }),
        yield* sent([], { a: [{ b: 1 }] }),
        yield* sent([], { a: 1n << 70n }),
        yield* sent([], { a: (1n << 70n) + 1n }),
        yield* digestOf(message({ task: "edit_model", kwargs: { a: 1 } }).raw)
      ]
      assert.strictEqual(new Set(all).size, all.length)
    })
  )
})
