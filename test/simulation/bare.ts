/** Takes away what costs a run a third of its time and is no part of it. To be imported before anything of Effect's. */
import { syncBuiltinESMExports } from "node:module"
import os from "node:os"

// Heartbeats tell the machine's load, which is slow to ask for.
os.loadavg = () => [0, 0, 0]
syncBuiltinESMExports()

// Effect notes where each call of an `Effect.fn` comes from.
Error.stackTraceLimit = 0

// Effect keeps an `AsyncResource` for each pause of a fiber where it finds them, and asks for them by this.
process.getBuiltinModule = () => undefined
