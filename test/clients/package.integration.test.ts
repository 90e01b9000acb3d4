import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { root } from "../../scripts/clients/files.ts"
import * as Arguments from "../../src/programs/generation/tasks/Arguments.ts"
import * as Batch from "../../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../../src/programs/generation/tasks/generateModel.ts"
import { makeStage } from "../interop/stage.ts"
import { describeWith } from "../servers/index.ts"
import { temporaryFolder } from "../servers/Process.ts"
import { payloads, type Payload } from "./payloads.ts"

const here = import.meta.dirname
const source = join(root, "clients", "python", "src")
const run = promisify(execFile)

const folder = Effect.acquireRelease(
  Effect.sync(() => temporaryFolder("clients")),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What a program prints, whatever it exits with. */
const printed = (
  command: string,
  args: ReadonlyArray<string>,
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string }
) =>
  Effect.promise(async () => {
    const { input, ...rest } = options
    const child = run(command, args, {
      timeout: 90_000,
      maxBuffer: 2 ** 26,
      ...rest,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...rest.env }
    })
    child.child.stdin?.end(input ?? "")
    return child.catch((error: { stdout: string; stderr: string }) => error) // a checker that finds mistakes exits 1
  })

/** The lines that say that they are a mistake. */
const planted = readFileSync(join(here, "mistakes.py"), "utf8")
  .split("\n")
  .flatMap((line, at) => (line.endsWith("# MISTAKE") ? [at + 1] : []))
const found = (text: string, file: string) => [
  ...new Set([...text.matchAll(new RegExp(`${file}:(\\d+)(?::\\d+)?(?: -|:) error`, "g"))].map(([, line]) => Number(line)))
]

/** What the worker makes of a payload: the fields that are wrong. */
const refused = ({ kwargs, task }: Payload) => {
  const call = { args: [], kwargs }
  const bound =
    task === "generate_model"
      ? Arguments.bind(Generate.Request, Generate.names, call)
      : task === "edit_model"
        ? Effect.flatMap(Arguments.bind(Edit.Request, Edit.names, call, { firstIsDict: true }), Edit.named)
        : task === "batch_generate"
          ? Effect.flatMap(Arguments.bind(Batch.Request, Batch.names, call), Batch.bounded)
          : Arguments.bind(Schema.Struct({}), [], call)
  return Effect.match(bound as Effect.Effect<unknown, { readonly message: string }>, {
    onSuccess: () => "",
    onFailure: ({ message }) => message
  })
}

/** `templates.0.gender` of a path; of another argument its name, as the parts of a list are named by nobody. */
const field = (path: string) => (path.startsWith("templates.") ? path.split(".").slice(0, 3).join(".") : path.split(".")[0]!)

describeWith(["client"], "the Python package", ({ client: { python } }) => {
  it.live(
    "is a wheel that says what it holds and that it is typed, and reads on Python 3.9",
    () =>
      Effect.gen(function* () {
        const home = yield* folder
        cpSync(join(root, "clients", "python"), join(home, "python"), { recursive: true })
        const wheel = [
          "-m",
          "pip",
          "wheel",
          "--quiet",
          "--no-deps",
          "--no-build-isolation",
          "--no-index",
          "-w",
          home,
          join(home, "python")
        ]
        yield* printed(python, wheel, {})
        const name = readdirSync(home).find((file) => file.endsWith(".whl")) ?? ""
        assert.match(name, /^model_generator_client-1\.0\.0-py3-none-any\.whl$/)
        const { stdout } = yield* printed(python, ["-m", "zipfile", "-l", join(home, name)], {})
        for (const file of [
          ...readdirSync(join(source, "model_generator")).filter((one) => /\.py$|py\.typed/.test(one)),
          "METADATA"
        ])
          assert.include(stdout, file)
        const old = "import ast,sys\nfor f in sys.argv[1:]: ast.parse(open(f).read(), feature_version=(3, 9))"
        const files = readdirSync(join(source, "model_generator")).filter((file) => file.endsWith(".py"))
        const parsed = yield* printed(python, ["-c", old, ...files.map((file) => join(source, "model_generator", file))], {})
        assert.strictEqual(parsed.stderr, "")
      }),
    60_000
  )

  it.live(
    "passes mypy --strict with an application, and twenty planted mistakes are found by mypy and by pyright, and nothing else",
    () =>
      Effect.gen(function* () {
        const home = yield* folder
        for (const file of ["sample.py", "mistakes.py"]) cpSync(join(here, file), join(home, file))
        writeFileSync(join(home, "mypy.ini"), "[mypy]\nstrict = True\n[mypy-celery.*]\nignore_missing_imports = True\n")
        writeFileSync(join(home, "pyrightconfig.json"), JSON.stringify({ include: ["."], extraPaths: [source] }))
        const package_ = readdirSync(join(source, "model_generator")).flatMap((file) =>
          file.endsWith(".py") ? [join(source, "model_generator", file)] : []
        )
        const checkers = yield* Effect.all(
          [
            printed(python, ["-m", "mypy", "--cache-dir", join(home, ".cache"), "sample.py", "mistakes.py", ...package_], {
              cwd: home,
              env: { MYPYPATH: source }
            }),
            printed(process.execPath, [join(root, "node_modules", "pyright", "index.js"), "--pythonpath", python], { cwd: home })
          ],
          { concurrency: 2 }
        )
        assert.strictEqual(planted.length, 20)
        for (const { stdout } of checkers) {
          assert.deepStrictEqual(found(stdout, "mistakes\\.py"), planted, stdout)
          assert.deepStrictEqual(found(stdout, "(?:sample|model_generator/\\w+)\\.py"), [], stdout)
        }
        const tested = yield* printed(python, ["-c", "import sample; sample.test_one()"], {
          cwd: home,
          env: { PYTHONPATH: source }
        })
        assert.strictEqual(tested.stderr, "")
      }),
    120_000
  )

  it.live(
    "takes and refuses what the worker takes and refuses, and names the same fields, of 2,000 payloads",
    () =>
      Effect.gen(function* () {
        const all = payloads(2000)
        const schema: unknown = JSON.parse(readFileSync(join(root, "clients/model-generator.schema.json"), "utf8"))
        const { stderr, stdout } = yield* printed(python, [join(here, "agree.py")], {
          env: { PYTHONPATH: source },
          input: JSON.stringify([all, schema])
        })
        assert.strictEqual(stderr, "")
        const theirs = JSON.parse(stdout) as ReadonlyArray<{ readonly fields: ReadonlyArray<string>; readonly fits: boolean }> // what agree.py prints
        let refusals = 0
        for (const [at, payload] of all.entries()) {
          const says = yield* refused(payload)
          const ours = new Set(
            says === ""
              ? []
              : says
                  .replace(/^ValidationError: /, "")
                  .split("; ")
                  .flatMap((one) => (/^[\w.]+: /.test(one) ? [field(one.split(":")[0]!)] : []))
          )
          const shown = `${JSON.stringify(payload).slice(0, 1500)}\nworker: ${says}`
          assert.sameMembers([...new Set(theirs[at]!.fields.map(field))], [...ours], shown)
          if (says === "") assert.isTrue(theirs[at]!.fits, `the JSON Schema refuses ${shown}`)
          if (says !== "") refusals++
        }
        assert.isAbove(refusals, 600)
        assert.isBelow(refusals, 1400)
      }),
    60_000
  )
})

for (const client of ["client", "celery57"] as const)
  describeWith(["redis", "postgres", client], `the Python package with ${client}`, (servers) => {
    it.live(
      "calls a real worker: real exceptions come back, and a batch is waited for in the process that sent it",
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage(servers)
          yield* stage.start({ WORKER_CONCURRENCY: "4" })
          const { stderr, stdout } = yield* printed(servers[client].python, [join(here, "caller.py")], {
            env: { PYTHONPATH: source, BROKER: stage.broker.url, BACKEND: stage.backend.url }
          })
          assert.notStrictEqual(stdout, "", stderr)
          assert.deepStrictEqual(JSON.parse(stdout), {
            version: 2,
            group: [0, 1, 2],
            chord: "in blue",
            exists: ["model_generator.errors", "changed", false],
            fields: ["gender", "seed"],
            batch: [5, 5, 0],
            same: true,
            other: [false, [true]]
          })
        }),
      90_000
    )
  })
