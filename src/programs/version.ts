import manifest from "../../package.json" with { type: "json" }
import contract from "./contract.json" with { type: "json" }

export const VERSION = manifest.version
/** Written by `npm run clients` from the schemas of the tasks' arguments and results. */
export const CONTRACT = `${contract.version}-${contract.hash}`
