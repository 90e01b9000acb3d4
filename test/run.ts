/**
 * `npm test`: every test under test/, or those whose file name contains an argument. Suites whose servers are not installed are
 * skipped, and named at the end together with the one line that installs what they need; under CI a skip is a failure.
 */
import { parseCLI, startVitest, type TestModule } from "vitest/node"

const INSTALL = "sudo apt-get install -y redis-server postgresql pgbouncer python3-venv"

const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)])
const vitest = await startVitest("test", filter, { ...options, watch: false })
const modules = vitest.state.getTestModules()
await vitest.close() // the servers end here

const tests = (state: "passed" | "failed" | "skipped") => modules.flatMap((module) => [...module.children.allTests(state)])
/** A file that could not be loaded, or a hook that failed, has no test that says so. */
const brokenSuites = (module: TestModule) => [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0)

const passed = tests("passed").length
const counted = tests("failed").length + modules.flatMap(brokenSuites).length + vitest.state.getUnhandledErrors().length
// The exit code also tells of what has no test to its name: servers that did not start, no file found.
const failed = counted === 0 && (process.exitCode ?? 0) !== 0 ? 1 : counted
// Tests that a name filter (-t) leaves out are skipped too, on purpose.
const skipped = options.testNamePattern === undefined ? tests("skipped") : []

const out: Array<string> = []
if (skipped.length > 0) {
  out.push("", "Skipped:", ...new Set(skipped.map((test) => `  ${test.module.relativeModuleId}: ${test.fullName}`)))
  if (skipped.some((test) => test.name.startsWith("needs "))) out.push("", "To run them too:", `  ${INSTALL}`)
}
const strict = process.env.CI === "true" && skipped.length > 0
if (strict) out.push("", "CI=true: a skipped test is a failure.")
out.push("", `${passed} passed, ${failed} failed, ${skipped.length} skipped`, "")
process.stdout.write(out.join("\n"))

process.exit(failed > 0 || strict ? 1 : 0)
