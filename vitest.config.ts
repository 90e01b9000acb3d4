import { configDefaults, defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What `npm test -- --fast` leaves out: whole programs, runs of chance, and pictures. Suites that need a server skip themselves. */
const slow = [
  "**/*.integration.test.ts",
  "test/{fuzz,servers,simulation}/**",
  "test/programs/commands/**",
  "test/install.test.ts",
  "test/layers/media/**"
]
/** They ask that a worker answers within a time, so nothing else may run beside them. */
const quiet = ["test/interop/{health,hostile}.integration.test.ts", "test/programs/task/bounds.test.ts"]
/** They wait, for leases, time limits and servers that are away, and take a fifth to a third of a core meanwhile. */
const waiting = [
  "test/interop/{limits,neighbours,obstacles,outage,process,redisFaults,rollback,stop,twins}.integration.test.ts",
  "test/chaos/namesakes.integration.test.ts",
  "test/layers/postgresFaults.test.ts"
]
/**
 * They compute, need no server, and leave nothing behind in their process. So one process runs them one after the other: it imports
 * Effect once, which takes a second of each process's time, and its code stays compiled.
 */
const computing = [
  "test/{fal,fal-simulator,services,examples,providers,deploy}/**/*.test.ts",
  "test/programs/{celery,control,generation,media,runtime,task,worker}/**/*.test.ts"
]
const fast = process.env["TESTS"] === "fast"

/** What takes longest begins first, so that it does not run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>) {
    const rank = ({ moduleId }: TestSpecification) =>
      moduleId.includes("/chaos/") ? 0 : moduleId.includes(".integration.") ? 1 : 2
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

const times = { testTimeout: 40_000, hookTimeout: 90_000 }
/**
 * Under CI, a test that has servers or processes beside it, and so waits for a machine that others use too, is tried once more when it
 * fails. One that passes then is named at the end of the run (test/run.ts): it is to be mended.
 */
const retry = process.env["CI"] === "true" ? 1 : 0

export default defineConfig({
  test: {
    // Once, for all groups.
    globalSetup: ["test/servers/globalSetup.ts"],
    sequence: { sequencer: LongestFirst },
    // One group after the other.
    projects: [
      {
        test: {
          name: "waiting",
          include: fast ? [] : waiting,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
          retry,
          ...times
        }
      },
      {
        test: {
          name: "side by side",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...quiet, ...waiting, ...computing, ...(fast ? slow : [])],
          // They compute and wait. With more than two side by side on two cores, some wait too long.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          retry,
          ...times
        }
      },
      {
        test: {
          name: "computing",
          include: computing,
          exclude: [...configDefaults.exclude, ...quiet],
          maxWorkers: 2,
          isolate: false,
          sequence: { groupOrder: 2 },
          ...times
        }
      },
      {
        test: {
          name: "alone",
          include: fast ? [] : quiet,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          retry,
          ...times
        }
      }
    ]
  }
})
