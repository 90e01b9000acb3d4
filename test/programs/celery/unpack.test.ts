import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { unpack } from "../../../src/programs/celery/unpack.ts"

const plain = Buffer.from(randomBytes(4_000_000).toString("hex"))
/** Packed by Python, as a client of Celery does it: Node cannot. */
const byPython = (module: string) =>
  spawnSync("python3", ["-c", `import sys, ${module}; sys.stdout.buffer.write(${module}.compress(sys.stdin.buffer.read()))`], {
    input: plain,
    maxBuffer: 2 * plain.length
  })

describe("a body of 8 MB does not keep the worker from everything else while it is unpacked", () => {
  for (const [compression, module] of Object.entries({ "application/x-bz2": "bz2", "application/x-lzma": "lzma" })) {
    const { status, stdout } = byPython(module)
    it.live.skipIf(status !== 0)(`${compression}${status === 0 ? "" : " (needs Python 3)"}`, () =>
      Effect.gen(function* () {
        let turns = 0
        const turn = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))
        const others = yield* Effect.forkChild(Effect.forever(Effect.tap(turn, () => Effect.sync(() => turns++))))
        assert.isTrue(plain.equals(yield* unpack(stdout, compression)))
        assert.isAtLeast(turns, 4)
        yield* Fiber.interrupt(others)
      })
    )

    it.live.skipIf(status !== 0)(`${compression}, cut off anywhere, is refused`, () =>
      Effect.gen(function* () {
        for (const length of [3, 4, 10, 100, stdout.length / 2, stdout.length - 5, stdout.length - 1])
          assert.include((yield* Effect.flip(unpack(stdout.subarray(0, length), compression))).message, "cannot be unpacked")
      })
    )
  }
})
