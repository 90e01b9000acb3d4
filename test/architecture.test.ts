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
  /** What the files of each folder may import of ours, beside their own folder. The longest name that fits a file counts. */
  const allowed: Record<string, ReadonlyArray<string>> = {
    "src/wire": [],
    "src/services": ["src/wire"],
    "src/layers": ["src/wire", "src/services"],
    "src/fal-simulator": [],
    "src/programs": ["src/wire", "src/services", "src/fal-simulator", "src/programs"],
    "src/programs/runtime": ["src/services"],
    "src/programs/celery": ["src/wire", "src/services"],
    "src/programs/task": ["src/wire", "src/services", "src/programs/celery", "src/programs/runtime"],
    "src/programs/generation/purchase": ["src/wire", "src/services", "src/programs/celery", "src/programs/task"],
    "src/programs/generation": ["src/wire", "src/services", "src/programs/celery", "src/programs/task", "src/programs/media"],
    "src/programs/media": ["src/services"],
    "src/programs/control": ["src/wire", "src/services", "src/programs/celery", "src/programs/runtime"],
    "src/programs/console": ["src/wire", "src/services", "src/programs"],
    "src/programs/worker": ["src/wire", "src/services", "src/programs"]
  }
  /** Texts that every program may use. */
  const common = new Set(["src/programs/explain.ts", "src/programs/version.ts"])
  const isIn = (file: string, folder: string) => file.startsWith(`${folder}/`)
  for (const [from, to] of Object.entries(allowed)) {
    it(`${from} imports ${to.length === 0 ? "nothing of ours" : `nothing of ours but ${to.join(", ")}`}`, () => {
      const narrower = Object.keys(allowed).filter((folder) => isIn(folder, from))
      const files = sources.filter((file) => isIn(file, from) && !narrower.some((folder) => isIn(file, folder)))
      assert.isNotEmpty(files)
      const wrong = files.flatMap((file) =>
        imports(file)
          .filter((path) => isIn(path, "src") && !common.has(path) && ![from, ...to].some((folder) => isIn(path, folder)))
          .map((path) => `${file} imports ${path}`)
      )
      assert.deepStrictEqual(wrong, [])
    })
  }

  it("no two files have one name, but for a role in Redis and in memory, and for a command", () => {
    const named = sources.filter((file) => !isIn(file, "src/layers/memory") && !isIn(file, "src/programs/commands"))
    const twice = [...Map.groupBy(named, (file) => file.split("/").at(-1)!).values()].filter((files) => files.length > 1)
    assert.deepStrictEqual(twice, [])
  })

  it("nothing that a worker runs imports a command", () => {
    const commands = "src/programs/commands/"
    const wrong = sources
      .filter((file) => room(file) === "programs" && !file.startsWith(commands) && !isIn(file, "src/programs/console"))
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
        /^src\/(commands|layers\/(Embedded|memory\/.*)|fal-simulator\/.*)\b/.test(file) ||
        isIn(file, "src/programs/console") ||
        (isIn(file, "src/programs/commands") && !/(worker|outcome)\.ts$/.test(file))
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
