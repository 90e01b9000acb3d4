import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { unpack } from "../../../src/programs/celery/unpack.ts"

const large = Buffer.from(randomBytes(4_000_000).toString("hex"))
/** Two blocks of bzip2. */
const small = large.subarray(0, 1_000_000)
/** Packed by Python, as a client of Celery does it: Node cannot. */
const byPython = (module: string, body: Buffer) => {
  const program = `import sys, ${module}; sys.stdout.buffer.write(${module}.compress(sys.stdin.buffer.read()))`
  return spawnSync("python3", ["-c", program], { input: body, maxBuffer: 2 * body.length })
}

/** Streams that end at each of the eight bits of a byte. */
const short = spawnSync(
  "python3",
  ["-c", "import base64, bz2; [print(base64.b64encode(bz2.compress(b'%d' % n)).decode()) for n in range(64)]"],
  { encoding: "utf8" }
)

describe("a bzip2 body without its last byte", () => {
  it.live.skipIf(short.status !== 0)(`is refused${short.status === 0 ? "" : " (needs Python 3)"}`, () =>
    Effect.gen(function* () {
      const packed = short.stdout.trim().split("\n")
      assert.strictEqual(packed.length, 64)
      for (const [index, body] of packed.map((line) => Buffer.from(line, "base64")).entries()) {
        assert.strictEqual((yield* unpack(body, "application/x-bz2")).toString(), String(index))
        assert.include((yield* Effect.flip(unpack(body.subarray(0, -1), "application/x-bz2"))).message, "cannot be unpacked")
      }
    })
  )
})

describe("a body of 8 MB does not keep the worker from everything else while it is unpacked", () => {
  for (const [compression, module] of Object.entries({ "application/x-bz2": "bz2", "application/x-lzma": "lzma" })) {
    const { status, stdout } = byPython(module, large)
    it.live.skipIf(status !== 0)(`${compression}${status === 0 ? "" : " (needs Python 3)"}`, () =>
      Effect.gen(function* () {
        // Counted without a fiber, which would see every second turn only.
        let turns = 0
        const count = () => {
          turns++
          turn = setImmediate(count)
        }
        let turn = setImmediate(count)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearImmediate(turn)))
        assert.isTrue(large.equals(yield* unpack(stdout, compression)))
        assert.isAtLeast(turns, 4)
      })
    )
  }
})

describe("a body that is cut off anywhere is refused", () => {
  for (const [compression, module] of Object.entries({ "application/x-bz2": "bz2", "application/x-lzma": "lzma" })) {
    const { status, stdout } = byPython(module, small)
    it.live.skipIf(status !== 0)(`${compression}${status === 0 ? "" : " (needs Python 3)"}`, () =>
      Effect.gen(function* () {
        assert.isTrue(small.equals(yield* unpack(stdout, compression)))
        for (const length of [3, 4, 10, 100, stdout.length / 2, stdout.length - 5, stdout.length - 1])
          assert.include((yield* Effect.flip(unpack(stdout.subarray(0, length), compression))).message, "cannot be unpacked")
      })
    )
  }
})
