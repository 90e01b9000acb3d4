import { assert, describe, it } from "@effect/vitest"
import * as Text from "../../src/wire/Text.ts"

describe("a text that is cut", () => {
  it("keeps no half of a character, wherever the cut falls", () => {
    const text = `a${"😀".repeat(20)}`
    for (let longest = 0; longest <= text.length + 1; longest++) {
      const cut = Text.cut(text, longest)
      assert.isTrue(cut.isWellFormed(), `at ${longest}`)
      assert.isAtMost(cut.length, longest)
      assert.isAtLeast(cut.length, Math.min(longest, text.length) - 1)
      assert.isTrue(text.startsWith(cut))
    }
  })

  it("has no half of a character either where it came with one", () => {
    assert.strictEqual(Text.cut("a\ud83d", 10), "a\ufffd")
    assert.strictEqual(Text.cut("\ude00b", 1), "\ufffd")
  })

  it("is marked as cut within the length asked for, and left alone when it fits", () => {
    assert.strictEqual(Text.shorten("abcdef", 6), "abcdef")
    assert.strictEqual(Text.shorten("abcdefg", 6), "abc...")
    assert.strictEqual(Text.shorten("ab😀defg", 6), "ab...")
  })

  it("is one line", () => {
    assert.strictEqual(Text.line("a\n  b\r\n\tc", 10), "a b c")
    assert.strictEqual(Text.line(`${" ".repeat(3)}${"b".repeat(100)}`, 10), " bbbbbbbbb")
  })
})
