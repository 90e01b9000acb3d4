import { assert, it } from "@effect/vitest"
import { type Exhibit, gallery } from "../../../src/programs/commands/gallery.ts"

const exhibit = (change: Partial<Exhibit> = {}): Exhibit => ({
  title: "female, 20-30",
  about: "slim, walking, casual",
  name: "t v1",
  data: "data:image/webp;base64,AA==",
  prompt: "p",
  editedFrom: null,
  ...change
})

it("no text of a row becomes markup, and no address a script", () => {
  const evil = `"><script>alert(1)</script>`
  const html = gallery(evil, evil, evil, [
    exhibit({ title: evil, about: evil, name: evil, data: evil, prompt: evil, editedFrom: evil, opens: "javascript:alert(1)" })
  ])
  assert.notInclude(html, "<script>alert")
  assert.notInclude(html, "javascript:")
})

it("a picture opens where its address is one of a browser's, and many can be filtered", () => {
  const opens = "https://media.example/a.jpg"
  assert.include(gallery("t", "a", "f", [exhibit({ opens })]), `<a href="${opens}">`)
  assert.notInclude(gallery("t", "a", "f", [exhibit()]), "<input")
  assert.include(
    gallery(
      "t",
      "a",
      "f",
      Array.from({ length: 24 }, () => exhibit())
    ),
    "<input"
  )
})
