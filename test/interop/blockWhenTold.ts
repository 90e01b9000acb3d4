/** Loaded into a worker by a test: blocks the event loop for a minute as soon as a file appears. */
import { existsSync } from "node:fs"

const file = process.env["BLOCK_WHEN"]
const timer = setInterval(() => {
  if (file === undefined || !existsSync(file)) return
  const end = Date.now() + 60_000
  while (Date.now() < end);
}, 50)
timer.unref()
