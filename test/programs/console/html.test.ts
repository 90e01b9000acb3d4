import { assert, describe, it } from "@effect/vitest"
import type { Schema } from "effect"
import { rgbaToThumbHash } from "thumbhash"
import { addressOf, document, fragment, html, query } from "../../../src/programs/console/html.ts"
import { placeholder } from "../../../src/programs/console/placeholder.ts"
import { stacks } from "../../../src/programs/console/stacks.ts"

const SCRIPT = `<script>alert("1")</script>' onload='x`

describe("a page", () => {
  it("has text as text, whatever it says", () => {
    const text = fragment(html`<p title="${SCRIPT}">${SCRIPT}${[SCRIPT]}</p>`)
    const escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39; onload=&#39;x"
    assert.strictEqual(text, `<p title="${escaped}">${escaped}${escaped}</p>`)
  })

  it("has markup as markup, lists in their order, and nothing for nothing", () => {
    const list = ["a", "b"].map((one) => html`<li>${one}</li>`)
    const markup = html // under another name, so that the formatter leaves the white space alone
    assert.strictEqual(fragment(markup`<ul>${list}${null}${false}${undefined}${0}</ul>`), "<ul><li>a</li><li>b</li>0</ul>")
    assert.match(document(html`<html></html>`), /^<!doctype html>\n<html>/)
  })

  it("takes nothing that only looks like markup", () => {
    const forged = { text: "<b>" }
    assert.notInclude(fragment(html`${forged as never}`), "<b>")
  })

  it("has no place for a value where no escaping helps", () => {
    assert.throws(() => html`<p title=${"x"}>`, /cannot be made safe/)
    assert.throws(
      () =>
        html`<script>
          ${"x"}
        </script>`,
      /cannot be made safe/
    )
    assert.throws(
      () =>
        html`<style>
          p {
            color: ${"x"};
          }
        </style>`,
      /cannot be made safe/
    )
    assert.throws(() => html`<p onclick="${"x"}">`, /cannot be made safe/)
  })

  it("links to no script", () => {
    for (const bad of ["javascript:alert(1)", " javascript:1", "data:text/html,x", "//evil.example", "file:///etc/passwd", ""])
      assert.isUndefined(addressOf(bad))
    assert.strictEqual(addressOf("https://fal.media/a.jpg"), "https://fal.media/a.jpg")
    assert.strictEqual(query({ a: "x&y=1", b: ["1", "2"], c: "", d: null }), "?a=x%26y%3D1&b=1&b=2")
  })
})

describe("a placeholder", () => {
  it("is the thumbhash's picture as a small bitmap", () => {
    const red = new Uint8Array(30 * 40 * 4).map((_, at) => [200, 20, 30, 255][at % 4]!)
    const address = placeholder(Buffer.from(rgbaToThumbHash(30, 40, red)).toString("base64"))!
    assert.isBelow(address.length, 400)
    const file = Buffer.from(address.replace("data:image/bmp;base64,", ""), "base64")
    assert.strictEqual(file.toString("latin1", 0, 2), "BM")
    const [blue = 0, green = 0, red_ = 0] = file.subarray(54)
    assert.isAbove(red_, 150)
    assert.isBelow(Math.max(blue, green), 90)
  })
  it("is nothing where there is none", () => {
    for (const bad of [null, 5, "", "a hash", "!!!!!!!!", "AAAA", "x".repeat(5000)]) assert.isUndefined(placeholder(bad))
  })
})

describe("a stack", () => {
  const row = (id: string, phash: Schema.Json) => ({ id, metadata: { phash } })
  const ids = (rows: ReadonlyArray<{ readonly id: string; readonly metadata: Schema.JsonObject | null }>) =>
    stacks(rows).map((stack) => stack.map(({ id }) => id).join(""))
  it("is of pictures that differ in few bits, in the order in which they came", () => {
    const [one, near, far] = ["00000000000000ff", "000000000000003f", "0000ffff0000ffff"]
    assert.deepStrictEqual(ids([row("a", one), row("b", far), row("c", near), row("d", one)]), ["acd", "b"])
    assert.deepStrictEqual(ids([row("a", "0000000000000000"), row("b", "000000000000003f"), row("c", "0000000000000fff")]), [
      "ab",
      "c"
    ])
  })
  it("is one picture where nothing is known of it", () => {
    assert.deepStrictEqual(ids([row("a", null), row("b", "zz"), row("c", 5), { ...row("d", ""), metadata: null }]), [
      "a",
      "b",
      "c",
      "d"
    ])
  })
})
