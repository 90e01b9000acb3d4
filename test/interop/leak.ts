/** Loaded into a worker by a test: keeps 5 MB for every picture it asks for, and tells at its end how large it has been. */
import http from "node:http"
import { readFileSync, writeSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const kept: Array<Buffer> = []
const request = http.request
http.request = ((url: string, options: http.RequestOptions, answered: () => void) => {
  if (options.method === "POST") kept.push(Buffer.alloc(5_000_000, kept.length + 1)) // filled, so that it is really taken
  return request(url, options, answered)
}) as typeof request // its overloads are of no interest here
syncBuiltinESMExports()

process.on("exit", () => {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
  writeSync(2, `peak ${peak} kB after ${kept.length} pictures\n`)
})
