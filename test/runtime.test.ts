import { assert, describe, it } from "@effect/vitest"

/** As Python writes a key: every UTF-16 unit as \uXXXX. */
const escaped = (key: string) =>
  [...Array(key.length).keys()].map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")

// Node 24.1 to 26.10 read a key wrong once another object of the same shape had a backslash for a key. Python writes every
// key outside ASCII as \uXXXX, so one odd message would spoil the ones after it.
describe("the runtime", () => {
  it("is Node 22, the one release line without the fault below", () => {
    assert.strictEqual(process.versions.node.split(".")[0], "22")
  })

  it("reads an escaped key right after a key that was a backslash", () => {
    assert.deepStrictEqual(Object.keys(JSON.parse('{"p":1,"\\\\":2}')), ["p", "\\"])
    assert.deepStrictEqual(Object.keys(JSON.parse('{"p":1,"\\u0447":2}')), ["p", "ч"])
  })

  it("keeps every key apart that differs only in its escape", () => {
    const keys = ["\\", '"', "/", "\b", "\n", "\t", "ч", "é", "中", "\u{1f600}", "\u2028"]
    for (const first of keys)
      for (const second of keys) {
        JSON.parse(`{"p":1,${JSON.stringify(first)}:2}`)
        assert.deepStrictEqual(JSON.parse(`{"p":1,"${escaped(second)}":2}`), { p: 1, [second]: 2 })
      }
  })
})
