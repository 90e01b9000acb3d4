import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../servers/index.ts"
import { temporaryFolder } from "../servers/Process.ts"
import { eventually } from "../support.ts"
import { inFlight, paidAndSaved } from "./pictures.ts"
import { makeStage } from "./stage.ts"

const BOOT_ID = "/proc/sys/kernel/random/boot_id"
/** A container that is set up like every other one: host name `twin`, process id 1, and the machine that the file names. */
const containerOn = (machine: string) => [
  ..."unshare --mount --uts --pid --fork --kill-child --mount-proc sh -c".split(" "),
  `hostname twin && mount --bind "$0" ${BOOT_ID} && exec "$@"`,
  machine
]
const machine = (name: string) => {
  const file = join(temporaryFolder("machine"), name)
  writeFileSync(file, `${name}\n`)
  return file
}
const [command, ...words] = [...containerOn(machine("probe")), "cat", BOOT_ID]
const possible = spawnSync(command!, words).stdout?.toString() === "probe\n"

describeWith(["redis", "postgres"], "two servers with the same files: one host name, worker name and process id", (servers) => {
  it.live.skipIf(!possible)(
    "the second says that the name is taken and takes nothing; the first keeps its task, and when it is killed goes on at once",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers, { pictureSeconds: 12 })
        const [one, two] = [containerOn(machine("one")), containerOn(machine("two"))]
        const first = yield* stage.start({}, [], one)
        const id = yield* inFlight(stage)
        const second = yield* stage.start({}, [], two)
        yield* eventually("it says why", second.output, (text) => text.includes("is alive on this broker"))
        yield* Effect.sleep("6 seconds") // more than a beat of each
        assert.strictEqual((yield* first.health).status, 200)
        assert.strictEqual((yield* second.health).status, 503)
        yield* first.signal("SIGKILL")
        yield* first.exited
        yield* stage.start({}, [], one) // the same container, started again
        assert.strictEqual((yield* stage.final(id))!.status, "SUCCESS")
        yield* paidAndSaved(stage, 1)
      }),
    90_000
  )
})
