import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { given, library, script } from "../../src/layers/redis/scripts/script.ts"

const twice = library({ needs: ["tag"], lua: "local function twice() return tag .. tag end" })
const declared = script({
  name: "mgTest",
  keys: { held: "model-generator.held", dead: given },
  args: { tag: "text", seconds: "number", due: "text?", most: "number?" },
  each: { keys: ["list", "marks"], args: ["queue"] },
  uses: [twice],
  lua: "return twice()",
  answer: Number
})
const call = {
  dead: "q.dead",
  tag: "t",
  seconds: 5,
  due: undefined,
  most: undefined,
  each: [
    { list: "a", marks: "am", queue: "qa" },
    { list: "b", marks: "bm", queue: "qb" }
  ]
}

describe("a Lua script", () => {
  it("gets its keys and arguments in the order of its declaration, whatever the order in the call", () => {
    const { each, ...rest } = call
    const shuffled = { each, ...Object.fromEntries(Object.entries(rest).toReversed()) } as typeof call // the same, in another order
    for (const one of [call, shuffled]) {
      assert.deepStrictEqual(declared.keysOf(one), ["model-generator.held", "q.dead", "a", "am", "b", "bm"])
      assert.deepStrictEqual(declared.argumentsOf(one), ["t", 5, "", "", "qa", "qb"])
    }
  })

  it("has each under its name, and what it shares with others before its own text", () => {
    assert.deepStrictEqual(declared.lua.split("\n"), [
      "local held, dead = KEYS[1], KEYS[2]",
      "local tag = ARGV[1]",
      "local seconds = tonumber(ARGV[2])",
      "local due = ARGV[3] ~= '' and ARGV[3] or nil",
      "local most = tonumber(ARGV[4])",
      "local function each_one() local n, count = -1, (#KEYS - 2) / 2 return function() n = n + 1 if n < count then" +
        " return KEYS[3 + n * 2], KEYS[4 + n * 2], ARGV[5 + n * 1] end end end",
      "local function twice() return tag .. tag end",
      "return twice()"
    ])
  })

  it("does not compile when something is forgotten, swapped or of the wrong kind", () => {
    const { keysOf } = declared
    // @ts-expect-error the key `dead` is not given
    assert.isArray(keysOf({ ...call, dead: undefined }))
    // @ts-expect-error a text where a number belongs: the two were swapped
    assert.isArray(keysOf({ ...call, tag: 5, seconds: "t" }))
    // @ts-expect-error a key that is always the same is not the caller's
    assert.isArray(keysOf({ ...call, held: "model-generator.leases" }))
    // @ts-expect-error no such argument
    assert.isArray(keysOf({ ...call, visibility: 5 }))
    // @ts-expect-error what comes once for each list has names too
    assert.isArray(keysOf({ ...call, each: [{ list: "a", queue: "qa" }] }))
    // @ts-expect-error a library needs `tag`, which this script has not
    assert.isString(script({ name: "mgOther", keys: {}, uses: [twice], lua: "return 1", answer: Number }).lua)
  })

  it("is alone in its file, which has its name", () => {
    const files = globSync("src/layers/redis/scripts/*.ts", { cwd: join(import.meta.dirname, "../..") })
    assert.isAbove(files.length, 20)
    for (const file of files) {
      if (basename(file) === "script.ts") continue
      const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8")
      const declarations = [...text.matchAll(/export const (\w+) = script\(/g)].map(([, name]) => name)
      assert.deepStrictEqual(declarations, [basename(file, ".ts")])
    }
  })

  it("is nowhere else: no other file of layers/redis has Lua", () => {
    const files = globSync("src/layers/redis/*.ts", { cwd: join(import.meta.dirname, "../..") })
    const withLua = files.filter((file) =>
      /\bredis\.p?call\('/.test(readFileSync(join(import.meta.dirname, "../..", file), "utf8"))
    )
    // It asks the server whether a script may SELECT at all.
    assert.deepStrictEqual(withLua, ["src/layers/redis/redisPreconditions.ts"])
  })
})
