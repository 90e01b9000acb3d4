import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "..")
const sources = globSync("src/**/*.ts", { cwd: root })
const room = (file: string) => file.split("/")[1]!
const imports = (file: string) =>
  [...readFileSync(join(root, file), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, path]) =>
    relative(root, join(root, dirname(file), path!))
  )

describe("the rule of imports", () => {
  const allowed: Record<string, ReadonlyArray<string>> = {
    services: ["services"],
    layers: ["layers", "services"],
    programs: ["programs", "services"]
  }
  for (const [from, to] of Object.entries(allowed)) {
    it(`${from} import nothing of ours but ${to.join(" and ")}`, () => {
      const files = sources.filter((file) => room(file) === from)
      assert.isAbove(files.length, 5)
      const wrong = files.flatMap((file) =>
        imports(file)
          .filter((path) => path.startsWith("src/") && !to.includes(room(path)))
          .map((path) => `${file} imports ${path}`)
      )
      assert.deepStrictEqual(wrong, [])
    })
  }

  it("nothing that a worker runs imports a command", () => {
    const commands = "src/programs/commands/"
    const wrong = sources
      .filter((file) => room(file) === "programs" && !file.startsWith(commands))
      .flatMap((file) =>
        imports(file)
          .filter((path) => path.startsWith(commands))
          .map((path) => `${file} imports ${path}`)
      )
    assert.deepStrictEqual(wrong, [])
  })

  it("a worker starts without the other commands, the simulator and what is in memory", () => {
    const needed = new Set(["src/main.ts"])
    for (const file of needed) {
      const text = readFileSync(join(root, file), "utf8")
      for (const [, path] of text.matchAll(/^(?:import|export) (?!type )[^"]*"(\.[^"]+\.ts)"/gm))
        needed.add(relative(root, join(root, dirname(file), path!)))
    }
    assert.include([...needed], "src/programs/worker/worker.ts")
    const others = [...needed].filter(
      (file) =>
        /^src\/(commands|layers\/(Embedded|.*Memory)|programs\/fal-simulator\/.*)\b/.test(file) ||
        (file.startsWith("src/programs/commands/") && !/(worker|outcome)\.ts$/.test(file))
    )
    assert.deepStrictEqual(others, [])
  })

  it("services know no driver", () => {
    const drivers = /from "(ioredis|@fal-ai\/client|@effect\/sql-pg|prom-client|undici|@electric-sql\/pglite|sharp)/
    assert.deepStrictEqual(
      sources.filter((file) => room(file) === "services" && drivers.test(readFileSync(join(root, file), "utf8"))),
      []
    )
  })
})
