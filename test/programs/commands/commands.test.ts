import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { program } from "./program.ts"
import { timed } from "../../support.ts"

const { run } = program()

const COMMANDS = ["worker", "demo", "health", "generate", "edit", "batch", "migrate", "fal-simulator", "why"]
const FIVE = ["--gender", "female", "--age-range", "20-30", "--body-type", "slim", "--pose", "side", "--style", "casual"]
const SECRET = "hunter2-is-secret"
/** Settings of the right form behind which there is nothing. */
const nowhere = (port: number) => ({
  CELERY_BROKER_URL: `redis://:${SECRET}@127.0.0.1:${port}/0`,
  CELERY_RESULT_BACKEND: `redis://:${SECRET}@127.0.0.1:${port}/1`,
  DATABASE_URL: `postgresql://worker:${SECRET}@127.0.0.1:${port}/models`,
  FAL_KEY: `id:${SECRET}`,
  FAL_BASE_URL: `http://127.0.0.1:${port}`
})
const REFUSING = 9 // nobody listens there

describe("the command line", () => {
  it.live("--help lists every command", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--help"])
      assert.strictEqual(code, 0)
      for (const command of COMMANDS) assert.match(stdout, new RegExp(`^ +${command} +\\S`, "m"))
    })
  )

  it.live("every command explains itself with an example", () =>
    Effect.forEach(
      COMMANDS,
      Effect.fnUntraced(function* (command) {
        const { code, stdout } = yield* run([command, "--help"])
        assert.strictEqual(code, 0)
        assert.include(stdout, "EXAMPLES")
      }),
      { concurrency: 2 }
    )
  )

  it.live("prints completions for a shell", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--completions", "bash"])
      assert.strictEqual(code, 0)
      for (const command of COMMANDS) assert.include(stdout, command)
    })
  )

  it.live.each([
    { name: "no command", args: [], says: "" },
    { name: "an unknown command", args: ["paint"], says: "paint" },
    { name: "an unknown flag", args: ["health", "--selff"], says: "--selff" },
    { name: "a missing flag", args: ["batch"], says: "--count" },
    { name: "a minor", args: ["generate", ...FIVE, "--age-range", "12-16"], says: "--age-range" },
    { name: "a value that is none", args: ["generate", ...FIVE.with(7, "jumping")], says: "--pose" },
    { name: "one bad value of a list", args: ["batch", "--count", "2", "--style", "casual,naked"], says: "--style" },
    { name: "too many pictures", args: ["batch", "--count", "1001"], says: "--count" }
  ])("$name is wrong use", ({ args, says }) =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run(args)
      assert.strictEqual(code, 2)
      assert.include(stderr, says)
      if (says !== "") assert.strictEqual(stdout, "")
      assert.notInclude(stderr, "    at ")
    })
  )

  it.live("flags that contradict each other are wrong use", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["edit", "--prompt", "x", "--model-id", "a", "--template-id", "b"], nowhere(REFUSING))
      assert.strictEqual(code, 2)
      assert.include(stderr, "--model-id")
    })
  )
})

describe("settings", () => {
  it.live("all that are missing or wrong are named at once, without their values", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["worker"], {
        DATABASE_URL: `mysql://worker:${SECRET}@db/models`,
        WORKER_CONCURRENCY: "many",
        FAL_KEY: ""
      })
      assert.strictEqual(code, 2)
      for (const name of ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "DATABASE_URL", "FAL_KEY", "WORKER_CONCURRENCY"])
        assert.include(stderr, name)
      assert.notInclude(stderr, SECRET)
      assert.notInclude(stderr, "    at ")
    })
  )

  it.live("a command asks only for those it needs", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["migrate"])
      assert.strictEqual(code, 2)
      assert.include(stderr, "DATABASE_URL")
      assert.notInclude(stderr, "FAL_KEY")
    })
  )
})

describe("batch --dry-run", () => {
  it.live("plans and prices without a database, and says so", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run(["batch", "--count", "5", "--gender", "female", "--dry-run"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "Fashion model, female")
      assert.include(stdout, "$0.125")
      assert.include(stdout, "estimate")
      assert.include(stderr, "takes it as empty")
    })
  )

  it.live("knows no price for a model it does not know", () =>
    Effect.gen(function* () {
      const settings = { FAL_MODEL: "fal-ai/other", FAL_UNPRICED_MODELS: "fal-ai/other" }
      const { code, stdout } = yield* run(["batch", "--count", "2", "--dry-run", "--json"], settings)
      assert.strictEqual(code, 0)
      const plan = JSON.parse(stdout)
      assert.strictEqual(plan.models.length, 2)
      assert.isNull(plan.cost.total)
    })
  )
})

describe("batch above BATCH_ASK_ABOVE", () => {
  const nowhere = { CELERY_BROKER_URL: "redis://127.0.0.1:1/0", CELERY_RESULT_BACKEND: "redis://127.0.0.1:1/1" }
  const sending = (env: Readonly<Record<string, string>>, ...flags: ReadonlyArray<string>) =>
    run(["batch", "--count", "201", "--no-wait", ...flags], { ...nowhere, ...env })

  it.live("sends nothing where there is no terminal to ask at, and says what it would cost", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* sending({})
      assert.strictEqual(code, 2)
      for (const word of ["201 pictures", "$5.025", "BATCH_ASK_ABOVE ($5.00)", "--yes"]) assert.include(stderr, word)
    })
  )
  it.live("asks for a model whose price is not known, too", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* sending({ FAL_MODEL: "a/b", FAL_UNPRICED_MODELS: "a/b", BATCH_ASK_ABOVE: "1000000" })
      assert.strictEqual(code, 2)
      assert.include(stderr, "cost unknown")
    })
  )
  it.live("goes on to the queue with --yes, and below the setting", () =>
    Effect.gen(function* () {
      for (const { code, stderr } of [yield* sending({}, "--yes"), yield* sending({ BATCH_ASK_ABOVE: "5.025" })]) {
        assert.strictEqual(code, 1)
        assert.include(stderr, "Redis")
        assert.notInclude(stderr, "BATCH_ASK_ABOVE")
      }
    })
  )
  it.live("buys nothing from a model without a price: no command and no worker starts", () =>
    Effect.gen(function* () {
      const settings = { ...nowhere, DATABASE_URL: "postgresql://nobody@127.0.0.1:1/nothing", FAL_KEY: "a:b", FAL_MODEL: "a/b" }
      for (const command of [["worker"], ["health"], ["batch", "--count", "1"]]) {
        const { code, stderr } = yield* run(command, settings)
        assert.strictEqual(code, 2, command[0])
        assert.include(stderr, "FAL_MODEL is a/b, whose price is not known here")
      }
    })
  )
})

describe("health when nothing is there", () => {
  /** Accepts and never says a word, as a frozen machine does. */
  const silent = Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const sockets = new Set<{ destroy: () => void }>()
      const server = createServer((socket) => void sockets.add(socket.on("error", () => {})))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(
          Effect.succeed({
            port,
            close: () => {
              for (const socket of sockets) socket.destroy()
              server.close()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )

  const dead = Effect.fnUntraced(function* (port: number) {
    const start = (yield* run(["--version"])).ms // which is the machine's, not ours
    const { code, ms, stderr, stdout } = yield* run(["health", "--json"], nowhere(port))
    assert.strictEqual(code, 1)
    assert.isBelow(ms - start, 5000)
    const health = JSON.parse(stdout)
    assert.strictEqual(health.status, "unhealthy")
    for (const name of ["broker", "results", "database", "fal"]) assert.isFalse(health.checks[name].ok, name)
    assert.notInclude(stdout + stderr, SECRET)
    assert.notInclude(stderr, "    at ")
  })
  it.live("answers within 5 s when every connection is refused", () => dead(REFUSING), timed())
  it.live("answers within 5 s when every peer is frozen", () => Effect.flatMap(silent, ({ port }) => dead(port)), timed())

  it.live("is a table that says what to do", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run(["health"], nowhere(REFUSING))
      assert.strictEqual(code, 1)
      assert.match(stdout, /bad +Redis broker/)
      assert.include(stdout, "Look at CELERY_BROKER_URL")
      assert.notInclude(stdout + stderr, "\u001b")
    })
  )

  it.live(
    "--self says that nobody answers",
    () =>
      Effect.gen(function* () {
        const { code, ms, stderr } = yield* run(["health", "--self"], { METRICS_HOST: "0.0.0.0", METRICS_PORT: String(REFUSING) })
        assert.strictEqual(code, 1)
        assert.isBelow(ms, 4000)
        assert.include(stderr, "127.0.0.1:9")
      }),
    timed()
  )
})

describe("a broker that is away", () => {
  it.live("is told in one line, and in one document with --json", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run(["generate", ...FIVE, "--json"], nowhere(REFUSING))
      assert.strictEqual(code, 1)
      assert.strictEqual(JSON.parse(stdout).error.type, "QueueError")
      assert.match(stderr, /^model-generator: the queue cannot be reached .*\n$/)
      assert.notInclude(stdout + stderr, SECRET)
    })
  )
})
