import { answerFaults, jobFaults, requestFaults, Route, streamFaults } from "./Fault.ts"
import * as JobErrors from "./jobErrors.ts"
import { odd } from "./odd.ts"

const lines = (about: Readonly<Record<string, string>>) => {
  const width = Math.max(...Object.keys(about).map((name) => name.length)) + 2
  return Object.entries(about).map(([name, says]) => `    ${name.padEnd(width)}${says}`)
}

/** All that can be made to go wrong, a line each, as `fal-simulator --help` shows it. */
export const catalogue = [
  "Faults are set by POST /_sim/faults, one as JSON or a list of them:",
  `    {"route":"submit","kind":"accept-then-reset","times":2}`,
  `A route is ${Route.literals.join(", ")}. A fault happens \`times\` (1) times,`,
  "after `skip` (0) requests that go well, and with `endpoint` to that endpoint alone. `ms` is 1000 where nothing is given.",
  "",
  "  Instead of an answer, with nothing taken:",
  ...lines(requestFaults),
  "",
  "  With the request taken, and billed where it is a submit, spoiling its answer alone:",
  ...lines(answerFaults),
  "",
  "  To a status stream that is opened (route `stream`):",
  ...lines(streamFaults),
  "",
  "  To the job of a submit that was accepted (route `submit`):",
  ...lines(jobFaults),
  "",
  "  Forms of `odd`, by `type`:",
  ...lines(Object.fromEntries(Object.entries(odd).map(([name, { says }]) => [name, says]))),
  "",
  "  Errors of `job-error` and `job-forgotten`, by `type`:",
  ...Array.from(
    { length: Math.ceil(JobErrors.types.length / 4) },
    (_, row) => `    ${JobErrors.types.slice(row * 4, row * 4 + 4).join(", ")}`
  )
]
  .map((line, at) => (at === 0 || line === "" ? line : `  ${line}`))
  .join("\n")
