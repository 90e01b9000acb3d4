import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as PythonJson from "../../src/wire/PythonJson.ts"

const parse = PythonJson.parse

describe("JSON as Python writes it", () => {
  it("keeps integers of any size", () => {
    assert.deepStrictEqual(parse("[9007199254740993, -9007199254740993, 1000000000000000000000000000000]"), [
      9007199254740993n,
      -9007199254740993n,
      10n ** 30n
    ])
    assert.strictEqual(
      PythonJson.stringify([9007199254740993n, { a: 10n ** 30n }]),
      '[9007199254740993,{"a":1000000000000000000000000000000}]'
    )
  })

  it("leaves numbers that are not integers, however long, as JSON.parse reads them", () => {
    const text = "[0.1000000000000000055511151231257827, 1e400, 1234567890123.5, 9007199254740991]"
    assert.deepStrictEqual(parse(text), JSON.parse(text))
  })

  it("reads NaN and the infinities, and only outside strings", () => {
    const value = parse('{"NaN": [NaN, Infinity, -Infinity], "s": "NaN, -Infinity", "\\"": NaN}') as Record<
      string,
      ReadonlyArray<number>
    > // as written
    assert.deepStrictEqual(Object.keys(value), ["NaN", "s", '"'])
    assert.isNaN(value["NaN"]![0])
    assert.deepStrictEqual(value["NaN"]!.slice(1), [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.strictEqual(value["s"] as unknown, "NaN, -Infinity")
  })

  it("writes a float as a float and an integer as an integer, as Python does", () => {
    const text = '[1.0,-0.0,1e+16,1e-05,1e+300,1234.5,1,0,{"limit":20.0},"1.0 NaN 1e99999","\\\\"]'
    assert.strictEqual(PythonJson.stringify(parse(text)).replace("0.00001", "1e-05"), text)
    assert.deepStrictEqual(PythonJson.numbers(parse(text)), JSON.parse(text))
    assert.strictEqual(PythonJson.stringify(parse("[1E2, 1e22, 123456789012345678.0]")), "[100.0,1e+22,1.2345678901234568e+17]")
  })

  it("writes Python's words for numbers JSON has none for", () => {
    const text = '[NaN,Infinity,-Infinity,{"0e-99999":"-1e99999, NaN","\\"":-Infinity}]'
    assert.strictEqual(PythonJson.stringify(parse(text)), text)
    assert.strictEqual(PythonJson.stringify(parse("[1e400, -1e400]")), "[Infinity,-Infinity]")
  })

  it("refuses what Python refuses", () => {
    for (const text of [
      "",
      "nul",
      "Nan",
      "NaNs",
      "Infinit",
      "--Infinity",
      "[1,]",
      "{'a': 1}",
      "[1 NaN]",
      "01",
      "\ufeff1",
      "[NaN",
      '"\u0001"'
    ])
      assert.throws(() => parse(text), SyntaxError, undefined, JSON.stringify(text))
  })

  it("refuses nesting deeper than it allows without walking it", () => {
    assert.throws(() => parse("[".repeat(1_000_000)), RangeError)
    assert.deepStrictEqual(parse("[".repeat(100) + "]".repeat(100)), JSON.parse("[".repeat(100) + "]".repeat(100)))
  })

  it("refuses more values than it allows, and longer integers than Python, without making one of them", () => {
    const bombs = {
      "many integers": "[" + "1,".repeat(6_999_999) + "1]",
      "many floats": "[" + "1.0,".repeat(3_000_000) + "1]",
      "many words": "[" + "NaN,".repeat(3_000_000) + "1]",
      "words and nothing else": "NI".repeat(7_000_000),
      "many dicts": "[" + "{},".repeat(4_000_000) + "1]",
      "many keys": `{${Array.from({ length: 1_000_000 }, (_, at) => `"${at}":1.0`).join()}}`,
      "one long integer": "9".repeat(14_000_000)
    }
    for (const [name, text] of Object.entries(bombs)) {
      const before = process.memoryUsage().heapUsed
      const began = performance.now()
      assert.throws(() => parse(text), RangeError, undefined, name)
      assert.isBelow(performance.now() - began, 500, name) // 20 s before there were bounds; some ms now on a quiet machine
      assert.isBelow(process.memoryUsage().heapUsed - before, 50_000_000, name)
    }
    assert.strictEqual((parse(`[${"1,".repeat(99_997)}1]`) as ReadonlyArray<number>).length, 99_998) // a list, as written
  })

  it("keeps a key called __proto__ a key", () => {
    const value = parse('{"__proto__": {"polluted": 9007199254740993}}') as object // an object, as written
    assert.deepStrictEqual(Object.keys(value), ["__proto__"])
    assert.isUndefined(({} as Record<string, unknown>)["polluted"])
  })
})

const integer = Arbitrary.map(Arbitrary.schema(Schema.BigInt), (big) =>
  big >= -(2n ** 53n) + 1n && big <= 2n ** 53n - 1n ? Number(big) : big
)

describe("any JSON", () => {
  it.prop("agrees with JSON.parse where JSON.parse loses nothing", { value: Schema.Json }, ({ value }) => {
    const text = JSON.stringify(value)
    const plain = /\d{16}/.test(text)
      ? (JSON.parse(
          JSON.stringify(value, (_, inner: unknown) => (typeof inner === "number" ? Math.round(inner % 1000) : inner))
        ) as Schema.Json)
      : value // JSON in, JSON out
    const shorter = JSON.stringify(plain)
    assert.strictEqual(JSON.stringify(PythonJson.numbers(parse(shorter))), JSON.stringify(JSON.parse(shorter)))
  })

  it.prop("of integers comes back as it was, big and small", { numbers: Arbitrary.array(integer) }, ({ numbers }) => {
    const normal = numbers.map((number) => (Object.is(number, -0) ? 0 : number))
    assert.deepStrictEqual(parse(PythonJson.stringify(normal)), normal)
    assert.strictEqual(PythonJson.stringify(parse(`[${normal.join(",")}]`)), `[${normal.join(",")}]`)
  })

  it.prop(
    "of integers beyond 2^53 comes back digit for digit",
    { digits: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))), negative: Schema.Boolean },
    ({ digits, negative }) => {
      const text = `${negative ? "-" : ""}9${digits.join("")}99999999999999999`
      assert.strictEqual(PythonJson.stringify(parse(`[${text}, {"k": ${text}}]`)), `[${text},{"k":${text}}]`)
    }
  )

  it.prop("with strings of anything keeps them", { text: Schema.String, key: Schema.String }, ({ key, text }) => {
    const value = { [`k${key}`]: [text, "NaN", `Infinity ${text}`] }
    const round = parse(`[NaN, ${JSON.stringify(value)}]`) as ReadonlyArray<unknown> // a list, as written
    assert.deepStrictEqual(round[1], value)
  })
})

describe("kombu's extended types", () => {
  const typed = (type: unknown, value: unknown) => ({ __type__: type, __value__: value })

  it("become the text that older kombu sent, and numbers where they are numbers", () => {
    assert.deepStrictEqual(
      PythonJson.plain({
        id: typed("uuid", { hex: "12345678123456781234567812345678" }),
        when: [typed("datetime", "2024-01-02T03:04:05+00:00"), typed("date", "2024-01-02"), typed("time", "01:02:03")],
        prices: [typed("decimal", "1.50"), typed("decimal", "-1E+2"), typed("decimal", "0.12345678901234567890")],
        odd: [typed("decimal", "NaN"), typed("decimal", "1.2.3"), typed("decimal", "")],
        text: typed("bytes", "abc"),
        bytes: typed("base64", "/wAB")
      }),
      {
        id: "12345678-1234-5678-1234-567812345678",
        when: ["2024-01-02T03:04:05+00:00", "2024-01-02", "01:02:03"],
        prices: [1.5, -100, "0.12345678901234567890"], // more digits than a number here keeps
        odd: ["NaN", "1.2.3", ""],
        text: "abc",
        bytes: "\u00ff\u0000\u0001"
      }
    )
  })

  it("are refused when nobody knows them, or when they hold something else", () => {
    for (const bad of [
      typed("zzz", 1),
      typed("__proto__", "x"),
      typed("constructor", "x"),
      typed(3, "x"),
      typed("uuid", "x"),
      typed("uuid", { hex: "12" }),
      typed("decimal", 1.5),
      typed("bytes", null)
    ])
      assert.throws(() => PythonJson.plain([{ deep: bad }]), TypeError)
  })

  it("count only with exactly these two keys", () => {
    const value = { __type__: "zzz", __value__: 1, and: "more" }
    assert.deepStrictEqual(PythonJson.plain(value), value)
  })
})
