import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Fault } from "../../src/fal-simulator/Fault.ts"
import * as JobErrors from "../../src/fal-simulator/jobErrors.ts"
import { odd } from "../../src/fal-simulator/odd.ts"
import * as Figure from "../../src/fal-simulator/picture/Figure.ts"
import { type Options, simulate } from "../../src/fal-simulator/simulate.ts"

const prompt = (gender: string, age: string, body: string, pose: string, style: string) =>
  `Fashion model, ${gender}, ${age} years old, body type: ${body}, pose: ${pose}, style: ${style} photo, full body shot, neutral white/gray background, professional studio lighting, high quality, 8k, detailed, clean composition`
const input = {
  prompt: prompt("female", "25-35", "average", "front standing", "professional"),
  seed: 5,
  image_size: { width: 90, height: 120 }
}
const editor = "fal-ai/flux/dev/image-to-image"

const Body = Schema.Struct({
  request_id: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.String),
  queue_position: Schema.optionalKey(Schema.Int),
  error_type: Schema.optionalKey(Schema.String),
  detail: Schema.optionalKey(Schema.Unknown),
  seed: Schema.optionalKey(Schema.Finite),
  has_nsfw_concepts: Schema.optionalKey(Schema.Array(Schema.Boolean)),
  images: Schema.optionalKey(Schema.Array(Schema.Struct({ url: Schema.String, width: Schema.Int, height: Schema.Int })))
})

/** A simulator and somebody who talks plain HTTP with it. */
const talk = Effect.fnUntraced(function* (options: Options = {}) {
  const simulator = yield* simulate(options)
  const ask = Effect.fnUntraced(function* (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = yield* Effect.promise((signal) =>
      fetch(simulator.url + path, {
        method,
        headers: { authorization: "Key any:key", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal
      })
    )
    const bytes = yield* Effect.promise(async () => Buffer.from(await response.arrayBuffer()))
    return { status: response.status, header: (name: string) => response.headers.get(name), bytes, text: bytes.toString() }
  })
  const json = (...args: Parameters<typeof ask>) =>
    Effect.flatMap(ask(...args), ({ text, ...answer }) =>
      Effect.map(Schema.decodeEffect(Schema.fromJsonString(Body))(text), (body) => ({ ...answer, body }))
    )
  const submit = (body: unknown = input, endpoint = "fal-ai/flux/dev", headers: Record<string, string> = {}) =>
    Effect.map(json("POST", `/${endpoint}`, body, headers), (answer) => `/fal-ai/flux/requests/${answer.body.request_id}`)
  return { simulator, ask, json, submit }
})
const jobTime = TestClock.adjust("2 seconds")
const pause = TestClock.withLive(Effect.sleep("10 millis"))

it.live("answers even what it cannot deal with", () =>
  Effect.gen(function* () {
    const { ask } = yield* talk()
    const answer = yield* Effect.timeout(ask("GET", "//"), "5 seconds")
    assert.strictEqual(answer.status, 500)
    assert.include(answer.text, "a defect in the simulator")
  })
)

describe("fal-simulator: submitting", () => {
  it.effect("takes no request without a key, without balance or for an app that does not exist", () =>
    Effect.gen(function* () {
      const { ask, simulator } = yield* talk()
      assert.strictEqual((yield* ask("POST", "/fal-ai/flux/dev", input, { authorization: "Bearer any" })).status, 401)
      assert.strictEqual((yield* ask("POST", "/fal-ai/flux/pro-max", input)).status, 404)
      yield* simulator.configure({ locked: true })
      assert.strictEqual((yield* ask("POST", "/fal-ai/flux/dev", input)).status, 403)
      assert.isEmpty(yield* simulator.ledger)
    })
  )

  it.effect("looks at the input when the job runs, and charges nothing for a bad one", () =>
    Effect.gen(function* () {
      const { json, simulator, submit } = yield* talk()
      const path = yield* submit({})
      yield* jobTime
      const result = yield* json("GET", path)
      assert.strictEqual(result.status, 422)
      assert.strictEqual(result.header("x-fal-billable-units"), "0")
      assert.deepInclude((yield* simulator.ledger)[0], { outcome: "missing", units: 0 })
    })
  )

  it.effect("runs as many as the account may at once, the others in their turn, low after normal", () =>
    Effect.gen(function* () {
      const { json, submit } = yield* talk()
      const paths = [yield* submit(), yield* submit()]
      const low = yield* submit(input, "fal-ai/flux/dev", { "x-fal-queue-priority": "low" })
      const normal = yield* submit()
      const at = (path: string) => Effect.map(json("GET", `${path}/status`), ({ body }) => body.queue_position ?? body.status)
      assert.deepStrictEqual(yield* Effect.forEach([...paths, low, normal], at), ["IN_PROGRESS", "IN_PROGRESS", 1, 0])
      yield* jobTime
      assert.deepStrictEqual(yield* Effect.forEach([...paths, low, normal], at), [
        "COMPLETED",
        "COMPLETED",
        "IN_PROGRESS",
        "IN_PROGRESS"
      ])
    })
  )

  it.effect("gives up what has not started within the caller's own deadline", () =>
    Effect.gen(function* () {
      const { json, simulator, submit } = yield* talk({ concurrency: 1, pictureSeconds: 10 })
      yield* submit()
      const path = yield* submit(input, "fal-ai/flux/dev", { "x-fal-request-timeout": "5" })
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* json("GET", `${path}/status`)).body.error_type, "request_timeout")
      const result = yield* json("GET", path)
      assert.deepStrictEqual([result.status, result.header("x-fal-request-timeout-type")], [504, "user"])
      assert.strictEqual((yield* simulator.ledger)[1]?.units, 0)
    })
  )
})

describe("fal-simulator: reading", () => {
  it.effect("answers 202 until it is done, then 200, under the app's name alone", () =>
    Effect.gen(function* () {
      const { ask, submit } = yield* talk()
      const path = yield* submit()
      const subPath = path.replace("/requests/", "/dev/requests/")
      assert.strictEqual((yield* ask("GET", `${path}/status`)).status, 202)
      assert.strictEqual((yield* ask("GET", path)).status, 400)
      assert.strictEqual((yield* ask("GET", `${subPath}/status`)).status, 404)
      yield* jobTime
      assert.strictEqual((yield* ask("GET", `${path}/status`)).status, 200)
      const [plain, suffixed] = [yield* ask("GET", path), yield* ask("GET", `${path}/response`)]
      assert.strictEqual(plain.text, suffixed.text)
      assert.strictEqual(plain.header("x-fal-billable-units"), "1")
      assert.strictEqual(plain.header("x-fal-request-id"), path.split("/").at(-1))
    })
  )

  it.effect("keeps a result for an hour, six minutes when told not to store it", () =>
    Effect.gen(function* () {
      const { ask, simulator, submit } = yield* talk()
      const [kept, unstored] = [yield* submit(), yield* submit(input, "fal-ai/flux/dev", { "x-fal-store-io": "0" })]
      yield* simulator.jump(400)
      assert.deepStrictEqual([(yield* ask("GET", kept)).status, (yield* ask("GET", unstored)).status], [200, 404])
      yield* simulator.jump(3600)
      assert.strictEqual((yield* ask("GET", kept)).status, 404)
    })
  )

  it.effect("streams each change of status and closes after the last", () =>
    Effect.gen(function* () {
      const { ask, submit } = yield* talk()
      const path = yield* submit()
      const streaming = yield* Effect.forkChild(ask("GET", `${path}/status/stream`))
      while (streaming.pollUnsafe() === undefined) {
        yield* pause
        yield* TestClock.adjust("500 millis")
      }
      const { text } = yield* Fiber.join(streaming)
      assert.deepStrictEqual(
        [...text.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status),
        ["IN_PROGRESS", "COMPLETED"]
      )
    })
  )

  it.effect("cancels what waits for nothing, what runs for its price, and what has ended not at all", () =>
    Effect.gen(function* () {
      const { json, simulator, submit } = yield* talk({ concurrency: 1 })
      const [running, waiting] = [yield* submit(), yield* submit()]
      const cancel = (path: string) => Effect.map(json("PUT", `${path}/cancel`), ({ body, status }) => [status, body.status])
      assert.deepStrictEqual(yield* cancel(waiting), [202, "CANCELLATION_REQUESTED"])
      assert.deepStrictEqual(yield* cancel(running), [202, "CANCELLATION_REQUESTED"])
      assert.deepStrictEqual(yield* cancel(running), [400, "ALREADY_COMPLETED"])
      assert.deepStrictEqual(yield* cancel("/fal-ai/flux/requests/nobody"), [404, "NOT_FOUND"])
      assert.strictEqual((yield* json("GET", running)).status, 499)
      assert.deepStrictEqual(
        (yield* simulator.ledger).map(({ units }) => units),
        [1, 0]
      )
    })
  )
})

describe("fal-simulator: pictures", () => {
  const pictureOf = Effect.fnUntraced(function* (
    said: Effect.Success<ReturnType<typeof talk>>,
    body: unknown,
    endpoint?: string
  ) {
    const path = yield* said.submit(body, endpoint)
    for (;;) {
      yield* jobTime
      const { body: result, status } = yield* said.json("GET", path)
      const image = result.images?.[0]
      if (status === 200 && image !== undefined) {
        const { bytes, header } = yield* said.ask("GET", new URL(image.url).pathname, undefined, { authorization: "" })
        return { ...image, bytes, type: header("content-type"), seed: result.seed, flagged: result.has_nsfw_concepts?.[0] }
      }
      yield* pause // the source of an edit is still on its way
    }
  })

  it.effect("are the same bytes for the same prompt and seed, and a seed is chosen when none is given", () =>
    Effect.gen(function* () {
      const said = yield* talk()
      const first = yield* pictureOf(said, input)
      assert.deepInclude(first, { width: 90, height: 120, type: "image/jpeg", seed: 5, flagged: false })
      assert.strictEqual(first.bytes.subarray(0, 2).toString("hex"), "ffd8")
      assert.isTrue(first.bytes.equals((yield* pictureOf(said, input)).bytes))
      assert.isFalse(first.bytes.equals((yield* pictureOf(said, { ...input, seed: 6 })).bytes))
      const { seed: _, ...seedless } = input
      assert.isAtLeast((yield* pictureOf(said, { ...seedless, output_format: "png" })).seed ?? -1, 0)
    })
  )

  it.effect("are black when flagged, and billed", () =>
    Effect.gen(function* () {
      const said = yield* talk()
      const { bytes, flagged } = yield* pictureOf(said, { ...input, prompt: "nsfw" })
      assert.isTrue(flagged)
      assert.isBelow(bytes.length, 1000)
      assert.deepInclude((yield* said.simulator.ledger)[0], { outcome: "flagged", units: 1 })
    })
  )

  it.effect("are edited from the picture itself, in its size", () =>
    Effect.gen(function* () {
      const said = yield* talk()
      const source = yield* pictureOf(said, input)
      const image_url = `data:image/jpeg;base64,${source.bytes.toString("base64")}`
      const red = yield* pictureOf(said, { prompt: "in a red suit", image_url, seed: 1 }, editor)
      assert.deepInclude(red, { width: 90, height: 120 })
      assert.isFalse(red.bytes.equals(source.bytes))
      const blue = yield* pictureOf(said, { prompt: "in a blue suit", image_url: source.url, seed: 1 }, editor)
      assert.isFalse(red.bytes.equals(blue.bytes))
    })
  )

  it("show what the prompt asked for", () => {
    for (const gender of ["male", "female"] as const)
      for (const body of ["slim", "average", "athletic", "plus-size"] as const)
        for (const pose of ["front standing", "side", "walking", "sitting"] as const)
          for (const style of ["professional", "casual", "editorial"] as const) {
            assert.deepInclude(Figure.fromPrompt(prompt(gender, "40-50", body, pose, style), 1), {
              gender,
              body,
              pose,
              style,
              age: 45
            })
          }
  })

  it("keep the person through an edit", () => {
    const source = Figure.fromPrompt(input.prompt, 1)
    assert.deepStrictEqual(Figure.edited(source, "wearing a red blazer", 2), { ...source, top: "#c0272d", bottom: "#c0272d" })
    assert.deepInclude(Figure.edited(source, "sitting in a casual outfit", 2), {
      skin: source.skin,
      hair: source.hair,
      pose: "sitting",
      style: "casual"
    })
  })
})

describe("fal-simulator: its own control", () => {
  it("its help has a line for each fault and each odd form, and names each error of a job", () => {
    const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
    const help = execFileSync(process.execPath, [main, "fal-simulator", "--help"], { encoding: "utf8" }).split("\n")
    for (const name of [...Fault.fields.kind.literals, ...Object.keys(odd)])
      assert.lengthOf(
        help.filter((line) => new RegExp(`^ +${name} {2,}\\S+`).test(line)),
        1,
        name
      )
    for (const type of JobErrors.types) assert.include(help.join(" "), type)
    assert.isBelow(Math.max(...help.map((line) => line.length)), 160)
  })

  it.effect("is there over HTTP, and takes nothing it does not understand", () =>
    Effect.gen(function* () {
      const { ask, simulator, submit } = yield* talk()
      assert.strictEqual((yield* ask("POST", "/_sim/faults", { route: "submit", kind: "busy", times: 2 })).status, 200)
      assert.strictEqual((yield* ask("POST", "/fal-ai/flux/dev", input)).status, 429)
      yield* ask("DELETE", "/_sim/faults")
      yield* submit()
      assert.strictEqual((yield* ask("PUT", "/_sim/settings", { pictureSeconds: 9, concurrency: 4 })).status, 200)
      assert.deepInclude(yield* simulator.settings, { pictureSeconds: 9, concurrency: 4, locked: false })
      assert.strictEqual((yield* ask("PUT", "/_sim/settings", { pictureSecond: 1 })).status, 400)
      assert.strictEqual((yield* ask("POST", "/_sim/faults", { route: "submit", kind: "earthquake" })).status, 400)
      yield* ask("POST", "/_sim/jump", { seconds: 60 })
      const { text } = yield* ask("GET", "/_sim/ledger")
      assert.include(text, `"outcome":"picture"`)
      assert.include(text, `"submit":2`)
    })
  )

  it.effect("knows prices, history and bills as far as an operator would ask", () =>
    Effect.gen(function* () {
      const { ask, submit } = yield* talk()
      yield* submit()
      yield* jobTime
      assert.include((yield* ask("GET", "/v1/models/pricing?endpoint_id=fal-ai/flux/dev")).text, `"unit_price":0.025`)
      const history = yield* ask("GET", "/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux/dev&expand=payloads")
      assert.include(history.text, `"seed":5`, "a lost request can be found by its seed")
      assert.include((yield* ask("GET", "/v1/models/billing-events")).text, `"output_units":1`)
    })
  )

  it.effect("says so when its port is taken", () =>
    Effect.gen(function* () {
      const { url } = yield* simulate()
      const error = yield* Effect.flip(simulate({ port: Number(new URL(url).port) }))
      assert.strictEqual(error._tag, "SimulatorError")
    })
  )
})
